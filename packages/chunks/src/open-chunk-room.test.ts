import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leaveRoom, slotBytesMax, takeRoom, type OpenChunkRoom } from "./open-chunk-room.ts";
import { createXorAppender, encodeXor } from "./xor-appender.ts";

describe("room for open chunks", () => {
  it("is at least as long as asked for, and nobody else's until it is left", () => {
    /** A length to take, or the number of one to leave. */
    const step = fc.oneof(
      fc.record({ take: fc.integer({ min: 1, max: 2 * slotBytesMax }) }),
      fc.record({ leave: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
        const taken: OpenChunkRoom[] = [];
        for (const one of steps) {
          if ("take" in one) {
            const room = takeRoom(one.take);
            expect(room.end - room.start).toBeGreaterThanOrEqual(one.take);
            expect(room.end).toBeLessThanOrEqual(room.page.length);
            taken.push(room);
          } else if (taken.length > 0) {
            const [left] = taken.splice(one.leave % taken.length, 1);
            if (left !== undefined) leaveRoom(left);
          }
        }
        for (const rooms of Map.groupBy(taken, ({ page }) => page).values()) {
          let lastEnd = 0;
          for (const { start, end } of rooms.toSorted((a, b) => a.start - b.start)) {
            expect(start).toBeGreaterThanOrEqual(lastEnd);
            lastEnd = end;
          }
        }
      }),
    );
  });

  it("is shared: a page has many slots", () => {
    const pages = new Set(Array.from({ length: 1000 }, () => takeRoom(64).page));
    expect(pages.size).toBeLessThan(10);
  });

  it("is given to the next one of its length once it is left", () => {
    const room = takeRoom(90);
    leaveRoom(room);
    expect(takeRoom(90)).toBe(room);
  });

  it("keeps chunks that grow beside each other apart, whatever slots they leave and take", () => {
    /** Which of some open chunks takes a sample, and its value: few values repeat, so that chunks differ in length. */
    const sample = fc.tuple(fc.nat(7), fc.oneof(fc.constant(1), fc.double({ noNaN: true })));
    fc.assert(
      fc.property(fc.array(sample, { minLength: 200, maxLength: 1500, size: "max" }), (samples) => {
        const open = Array.from({ length: 8 }, () => {
          return { appender: createXorAppender(), timestampsMs: [] as number[], values: [] as number[] };
        });
        for (const [i, [chunk, value]] of samples.entries()) {
          const one = open[chunk];
          if (one === undefined) continue;
          one.appender.append(i * 1000, value);
          one.timestampsMs.push(i * 1000);
          one.values.push(value);
        }
        for (const { appender, timestampsMs, values } of open) {
          const wanted = encodeXor(Float64Array.from(timestampsMs), Float64Array.from(values), 0, values.length);
          expect(appender.bytes()).toEqual(wanted);
          const copied = new Uint8Array(appender.byteLength + 3);
          appender.copyTo(copied, 3);
          expect(copied.subarray(3)).toEqual(wanted);
          // Emptied, it begins anew where it lies.
          appender.reset();
          appender.append(5, 2);
          expect(appender.bytes()).toEqual(encodeXor(Float64Array.of(5), Float64Array.of(2), 0, 1));
        }
      }),
      { numRuns: 25 },
    );
  });
});
