import type { Clock } from "./clock.ts";

const workMs = 5;

/**
 * For work in small pieces, of any number of workers at the same time: what is given, awaited between two pieces, lets
 * everything else run once they have worked for 5 ms together, and is nothing otherwise.
 */
export function pacedYield(clock: Clock): () => Promise<void> {
  let sinceMs = clock.monotonicMs();
  let resting: Promise<void> | undefined;
  const rest = async () => {
    await clock.yield();
    sinceMs = clock.monotonicMs();
    resting = undefined;
  };
  return async () => {
    // All rest with the first that does: each on its own would go on working while others rest.
    if (resting === undefined && clock.monotonicMs() - sinceMs >= workMs) resting = rest();
    if (resting !== undefined) await resting;
  };
}
