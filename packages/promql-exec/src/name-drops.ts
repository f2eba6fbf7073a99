/**
 * Which series lose their names at the end of a query. With delayed name removal, operations that make another metric of a
 * series mark its name (and `__type__` and `__unit__` with it), and the end of the query drops what is marked. Until then
 * `label_replace` and `by (__name__)` see the name.
 */

/** By series id: 1 where the name is to be dropped at the end; undefined where no series drops its own. */
export type NameDrops = Uint8Array | undefined;

/** Of series that become fewer: one drops its name where one of those that it is made of does. */
export function mergeNameDrops(drops: NameDrops, outputIds: Uint32Array, outputCount: number): NameDrops {
  if (drops === undefined) return undefined;
  const merged = new Uint8Array(outputCount);
  for (let id = 0; id < drops.length; id++) if (drops[id] === 1) merged[outputIds[id]] = 1;
  return merged;
}

/** Those of the left series, then of the right ones. */
export function concatNameDrops(left: NameDrops, leftCount: number, right: NameDrops, rightCount: number): NameDrops {
  if (left === undefined && right === undefined) return undefined;
  const drops = new Uint8Array(leftCount + rightCount);
  if (left !== undefined) drops.set(left);
  if (right !== undefined) drops.set(right, leftCount);
  return drops;
}
