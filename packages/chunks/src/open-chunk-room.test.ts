import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linkAt, OpenChunkRoom, type BlockNumber } from "./open-chunk-room.ts";
import { createXorAppender, encodeXor } from "./xor-appender.ts";

describe("room for open chunks", () => {
  const small = { blockBytes: 16, pageBits: 2 };

  /** Takes a chain of blocks. */
  const takeChain = (room: OpenChunkRoom, length: number) => {
    const blocks = [room.take()];
    for (let i = 1; i < length; i++) {
      const last = blocks[i - 1] ?? (0 as BlockNumber);
      const next = room.take();
      linkAt(room.pageOf(last), room.startOf(last) + room.dataBytes, next);
      blocks.push(next);
    }
    return blocks;
  };

  it("gives blocks that are nobody else's until they are left, in chains that hold", () => {
    /** The length of a chain to take, or the number of one to leave. */
    const step = fc.oneof(fc.record({ take: fc.integer({ min: 1, max: 9 }) }), fc.record({ leave: fc.nat() }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
        const room = new OpenChunkRoom(small);
        const taken: (readonly BlockNumber[])[] = [];
        let most = 0;
        for (const one of steps) {
          if ("take" in one) {
            const chain = takeChain(room, one.take);
            for (const block of chain) {
              const start = room.startOf(block);
              room.pageOf(block).fill(block, start, start + room.dataBytes);
            }
            taken.push(chain);
            most = Math.max(most, taken.flat().length);
          } else if (taken.length > 0) {
            const [left = []] = taken.splice(one.leave % taken.length, 1);
            const [first] = left;
            if (first !== undefined) room.leave(first, left.length);
          }
        }
        expect(new Set(taken.flat()).size).toBe(taken.flat().length);
        for (const chain of taken) {
          for (const [i, block] of chain.entries()) {
            const start = room.startOf(block);
            const data = room.pageOf(block).subarray(start, start + room.dataBytes);
            expect(data.every((byte) => byte === (block & 0xff))).toBe(true);
            if (i + 1 < chain.length) expect(room.after(block)).toBe(chain[i + 1]);
          }
        }
        // What is left is taken before anything new: there is never more than was needed at once, but for a page.
        expect(room.byteLength).toBeLessThanOrEqual((most + 3) * small.blockBytes);
      }),
    );
  });

  it("needs no more for chunks that grow at one pace than for their bytes, half a block each, and the links", () => {
    const room = new OpenChunkRoom();
    const chunks = Array.from({ length: 1000 }, () => createXorAppender(room));
    for (let round = 0; round < 3; round++) {
      // Some take a value again and again, others never: they leave the shortest length at very different times.
      for (let i = 0; i < 120; i++) {
        for (const [n, chunk] of chunks.entries()) chunk.append(i * 1000, n % 4 === 0 ? 1 : Math.sin(i) * (n % 4));
      }
      const bytes = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(room.byteLength).toBeLessThan((bytes * 64) / 60 + 1000 * 64);
      for (const chunk of chunks) chunk.reset();
    }
  });

  it("has nothing of an empty chunk", () => {
    const room = new OpenChunkRoom(small);
    const [first, second] = [createXorAppender(room), createXorAppender(room)];
    expect(room.byteLength).toBe(0);
    for (let i = 0; i < 30; i++) first.append(i * i, Math.sqrt(i));
    const { byteLength } = room;
    first.reset();
    for (let i = 0; i < 30; i++) second.append(i * i, Math.sqrt(i));
    expect(room.byteLength).toBe(byteLength);
  });

  it("keeps chunks that grow beside each other apart, whatever blocks they leave and take", () => {
    /** Which of some open chunks takes a sample, and its value: few values repeat, so that chunks differ in length. */
    const sample = fc.tuple(fc.nat(7), fc.oneof(fc.constant(1), fc.double({ noNaN: true })));
    const rooms = fc.constantFrom(small, undefined, { blockBytes: 128, pageBits: 0 });
    fc.assert(
      fc.property(rooms, fc.array(sample, { minLength: 200, maxLength: 1500, size: "max" }), (options, samples) => {
        const room = new OpenChunkRoom(options);
        const open = Array.from({ length: 8 }, () => {
          return { appender: createXorAppender(room), timestampsMs: [] as number[], values: [] as number[] };
        });
        for (const [i, [chunk, value]] of samples.entries()) {
          const one = open[chunk];
          if (one === undefined) continue;
          if (value === 1 && one.values.length > 100) {
            one.appender.reset();
            one.timestampsMs = [];
            one.values = [];
          }
          one.appender.append(i * 1000, value);
          one.timestampsMs.push(i * 1000);
          one.values.push(value);
        }
        for (const { appender, timestampsMs, values } of open) {
          const wanted = encodeXor(Float64Array.from(timestampsMs), Float64Array.from(values), 0, values.length);
          expect(appender.bytes()).toEqual(wanted);
          expect(appender.maxTimeMs).toBe(timestampsMs.at(-1) ?? NaN);
          const copied = new Uint8Array(appender.byteLength + 3);
          appender.copyTo(copied, 3);
          expect(copied.subarray(3)).toEqual(wanted);
          // Emptied, it begins anew.
          appender.reset();
          expect(appender.bytes()).toEqual(new Uint8Array(2));
          appender.append(5, 2);
          expect(appender.bytes()).toEqual(encodeXor(Float64Array.of(5), Float64Array.of(2), 0, 1));
        }
      }),
      { numRuns: 40 },
    );
  });
});
