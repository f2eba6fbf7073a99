import { seededRandom } from "@pleiad/ports";
import { expect, it } from "vitest";
import { createFrameWriter, createHttp2FrameReader, dataFrameBytesMax, frameTypes } from "./http2-frames.ts";

interface Seen {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly bytes: readonly number[];
}

/** Data in parts is put together again. */
function readAll(chunks: readonly Uint8Array<ArrayBuffer>[]): readonly Seen[] | undefined {
  const seen: Seen[] = [];
  let open: { streamId: number; bytes: number[] } | undefined;
  const reader = createHttp2FrameReader();
  for (const chunk of chunks) {
    const isSound = reader.read(chunk, ({ type, flags, streamId, payload }) => {
      if (type !== frameTypes.data) seen.push({ type, flags, streamId, bytes: [...payload] });
      else {
        open ??= { streamId, bytes: [] };
        expect(streamId).toBe(open.streamId);
        open.bytes.push(...payload);
        if (flags !== 0) {
          seen.push({ type, flags, ...open });
          open = undefined;
        }
      }
      return true;
    });
    if (!isSound) return undefined;
  }
  return seen;
}

it("frames are found however they are cut", () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = seededRandom(seed);
    const writer = createFrameWriter();
    const frames = Array.from({ length: 1 + random.int(20) }, (): Seen => {
      const isData = random.int(2) === 0;
      const length = random.int(4) === 0 ? random.int(16_000) : random.int(20);
      return {
        type: isData ? frameTypes.data : frameTypes.headers + random.int(9),
        flags: isData ? ([1, 8, 9][random.int(3)] ?? 1) : random.int(256),
        streamId: random.int(2 ** 31 - 1),
        bytes: Array.from({ length }, () => random.int(256)),
      };
    });
    for (const { type, flags, streamId, bytes } of frames) writer.frame(type, flags, streamId, Uint8Array.from(bytes));
    const whole = Buffer.concat(writer.take());
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at < whole.length;) {
      const length = random.int(3) === 0 ? 1 + random.int(12) : 1 + random.int(9000);
      chunks.push(Uint8Array.from(whole.subarray(at, at + length)));
      at += length;
    }
    expect(readAll(chunks), `seed ${String(seed)}`).toEqual(frames);
  }
});

it.each([
  ["data", frameTypes.data, dataFrameBytesMax, true],
  ["data", frameTypes.data, dataFrameBytesMax + 1, false],
  ["headers", frameTypes.headers, 16_384, true],
  ["headers", frameTypes.headers, 16_385, false],
])("a frame of %s may not be too long (type %i, %i bytes: %s)", (_name, type, length, isSound) => {
  const header = Uint8Array.of(length >>> 16, length >>> 8, length, type, 0, 0, 0, 0, 1);
  expect(createHttp2FrameReader().read(header, () => true)).toBe(isSound);
});
