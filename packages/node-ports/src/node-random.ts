/** Randomness that no two processes share: the deterministic generator from a seed of the operating system. */
import { randomInt } from "node:crypto";
import { seededRandom, type Random } from "@pleiad/ports";

export function nodeRandom(): Random {
  return seededRandom(randomInt(2 ** 32));
}
