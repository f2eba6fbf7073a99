import fc from "fast-check";
import { expect, it } from "vitest";
import { partsOf } from "./body-parts.ts";

const collect = async (parts: AsyncIterable<Uint8Array>) => {
  const sizes: number[] = [];
  const whole: number[] = [];
  const held: Uint8Array[] = [];
  for await (const part of parts) held.push(part);
  // Read only now: no part may share bytes with a later one.
  for (const part of held) {
    sizes.push(part.length);
    whole.push(...part);
  }
  return { sizes, whole };
};

it("cuts any body into parts of one size, the last one shorter", async () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(bodies, fc.integer({ min: 1, max: 30 }), async (pieces, partBytes) => {
      const expected = pieces.flatMap((piece) => [...piece]);
      const sizes = Array.from({ length: Math.max(1, Math.ceil(expected.length / partBytes)) }, (_, i) =>
        Math.min(partBytes, expected.length - i * partBytes),
      );
      async function* body() {
        for (const piece of pieces) {
          const own = piece.slice();
          yield own;
          own.fill(0xff); // as a source does that reads into one buffer again and again
        }
      }
      expect(await collect(partsOf(body(), partBytes))).toEqual({ sizes, whole: expected });
      expect(await collect(partsOf(Uint8Array.from(expected), partBytes))).toEqual({ sizes, whole: expected });
    }),
    { numRuns: 300 },
  );
});
