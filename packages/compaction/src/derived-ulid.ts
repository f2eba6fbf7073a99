/**
 * The name of a block that is made of others follows from what it is made of and how. Two compactors that carry out the
 * same plan write the same bytes under the same name, and one that was killed goes on where it was.
 */
import { newUlid, ulidTimeMs } from "@pleiad/blocks";
import { xxHash64 } from "@pleiad/model";
import type { Random } from "@pleiad/ports";

/** Goes up when the same inputs begin to give other bytes: two versions must never write into one block. */
const outputVersion = 1;

/**
 * `recipe` says what is made: the kind of work and its settings, in words that never change. `attempt` is for names that
 * were used up: a block of that name was made before and is being deleted. The time is that of the youngest input.
 */
export function derivedUlid(recipe: string, inputUlids: readonly string[], attempt: number): string {
  const text = [outputVersion, recipe, attempt, ...inputUlids.toSorted()].join("\n");
  const encoder = new TextEncoder();
  const bits = (xxHash64(encoder.encode(`a\n${text}`)) << 64n) | xxHash64(encoder.encode(`b\n${text}`));
  return newUlid(Math.max(0, ...inputUlids.map(ulidTimeMs)), digitsOf(bits));
}

/** The bits of a hash, from the low end, as the chance that a ULID is made with. */
function digitsOf(bits: bigint): Random {
  let left = bits;
  const int = (below: number) => {
    const digit = Number(left % BigInt(below));
    left /= BigInt(below);
    return digit;
  };
  return { int, uint32: () => int(2 ** 32), float: () => int(2 ** 32) / 2 ** 32, fork: () => digitsOf(left) };
}
