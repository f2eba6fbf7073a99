import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFrameReader, packMessages } from "./grpc-frames.ts";

const join = (parts: Iterable<Uint8Array>) => new Uint8Array(Buffer.concat([...parts]));

describe("packMessages", () => {
  it.each([
    ["many small messages go into one write", Array.from({ length: 100 }, () => 530), [53_500]],
    ["a write holds up to 64 KiB", [32_763, 32_763, 1], [65_536, 6]],
    ["a large message goes out after its header, uncopied", [10, 70_000, 10], [15, 5, 70_000, 15]],
    ["no message makes no write", [], []],
    ["an empty message is a header", [0], [5]],
  ])("%s", (_rule, messageLengths, writeLengths) => {
    const messages = messageLengths.map((length) => new Uint8Array(length));
    const writes = [...packMessages(messages)];
    expect(writes.map((write) => write.length)).toEqual(writeLengths);
    for (const message of messages) if (message.length > 65_536) expect(writes).toContain(message);
  });
});

describe("frame reader", () => {
  it("finds what was packed, however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ minLength: 60_000, maxLength: 70_000 })), {
          maxLength: 8,
        }),
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 }),
        async (messages, cuts) => {
          const whole = join(packMessages(messages));
          const reader = createFrameReader("identity", 100_000);
          const found: Uint8Array[] = [];
          for (let at = 0, i = 0; at < whole.length; i++) {
            const length = cuts[i % cuts.length] ?? 1;
            reader.push(whole.slice(at, at + length));
            at += length;
            found.push(...(await reader.take()));
          }
          expect(found).toEqual(messages.map((message) => new Uint8Array(message)));
          expect(reader.unfinished()).toBe(false);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("answers any bytes with messages or an RpcError", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), async (chunks) => {
        for (const encoding of ["identity", "gzip"] as const) {
          const reader = createFrameReader(encoding, 1000);
          try {
            for (const chunk of chunks) reader.push(chunk);
            while ((await reader.take()).length > 0);
          } catch (error) {
            expect(error).toMatchObject({ name: "RpcError" });
          }
        }
      }),
    );
  });

  it("holds no more than came, whatever length a header promises", () => {
    const reader = createFrameReader("identity", 2 ** 31);
    const before = process.memoryUsage().arrayBuffers;
    reader.push(Uint8Array.of(0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
    expect(reader.unfinished()).toBe(true);
  });

  it("decompresses about a megabyte at a time, in order, also between plain messages", async () => {
    const reader = createFrameReader("gzip", 1_000_000);
    const plain = Uint8Array.of(1, 2, 3);
    const zipped = gzipSync(new Uint8Array(600_000).fill(9));
    const frames = [
      ...packMessages([plain]),
      ...packMessages([zipped]),
      ...packMessages([plain]),
      ...packMessages([zipped, zipped]),
    ];
    for (const i of [1, 3]) {
      const frame = frames[i];
      if (frame === undefined) throw new Error("a frame is missing");
      frame[0] = 1;
      if (i === 3) frame[5 + zipped.length] = 1;
    }
    reader.push(join(frames));
    const takes: number[][] = [];
    for (let messages = await reader.take(); messages.length > 0; messages = await reader.take()) {
      takes.push(messages.map((message) => message.length));
    }
    expect(takes).toEqual([[3, 600_000, 3, 600_000], [600_000]]);
  });
});
