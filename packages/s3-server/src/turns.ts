/** Turns: those who want the same thing have it one after the other. */
export interface Turns {
  /** Resolves when it is this caller's turn; the function that it gives ends the turn and may be called again. */
  take(name: string): Promise<() => void>;
}

export function createTurns(): Turns {
  const lastOf = new Map<string, Promise<void>>();
  return {
    take: async (name) => {
      const before = lastOf.get(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      const mine = before === undefined ? promise : before.then(() => promise);
      lastOf.set(name, mine);
      await before;
      return () => {
        resolve();
        if (lastOf.get(name) === mine) lastOf.delete(name);
      };
    },
  };
}
