/**
 * A tournament over numbered contestants, for merging many sorted streams: the first one of all costs one comparison a
 * level to find anew after it changed, and one alone while the same wins again and again. See Knuth, volume 3, 5.4.1.
 */
export interface LoserTree {
  /** The number of the contestant that comes first. */
  readonly winner: number;
  /** Finds the winner anew; call it after the winner has changed, and only then. */
  replay(): void;
}

/** `before(a, b)`: whether contestant a comes before b. At least one contestant. */
export function createLoserTree(count: number, before: (a: number, b: number) => boolean): LoserTree {
  // Node 1 is the final, the children of node k are 2k and 2k + 1, and contestant c enters at node count + c.
  const losers = new Int32Array(count);
  const winners = new Int32Array(2 * count);
  for (let i = 0; i < count; i++) winners[count + i] = i;
  for (let node = count - 1; node >= 1; node--) {
    const left = winners[2 * node] as number;
    const right = winners[2 * node + 1] as number;
    const rightFirst = before(right, left);
    winners[node] = rightFirst ? right : left;
    losers[node] = rightFirst ? left : right;
  }
  const tree = { winner: count === 1 ? 0 : (winners[1] as number), replay };
  let runnerUp = -1; // who would win without the winner, once that is known

  /** The first of those who lost to the winner itself: only such a one can be second. */
  function findRunnerUp(): number {
    let first = -1;
    for (let node = (count + tree.winner) >> 1; node >= 1; node >>= 1) {
      const loser = losers[node] as number;
      if (first === -1 || before(loser, first)) first = loser;
    }
    return first;
  }

  function replay(): void {
    const winnerBefore = tree.winner;
    // Streams mostly have many in a row: then one comparison says that the winner is still the first.
    if (runnerUp !== -1) {
      if (!before(runnerUp, winnerBefore)) return;
      runnerUp = -1;
    }
    let winner = winnerBefore;
    for (let node = (count + winner) >> 1; node >= 1; node >>= 1) {
      const loser = losers[node] as number;
      if (before(loser, winner)) {
        losers[node] = winner;
        winner = loser;
      }
    }
    tree.winner = winner;
    if (winner === winnerBefore) runnerUp = findRunnerUp();
  }

  return tree;
}
