/** Work on items, at most so many at once, begun in their order; it ends when all that was begun has, or rejects with the first. */
export async function workAtOnce<T>(
  items: readonly T[],
  atOnceMax: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const pending = items.values(); // shared: each worker takes what the others have left
  const worker = async () => {
    for (const item of pending) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnceMax, items.length) }, worker));
}
