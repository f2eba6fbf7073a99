import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeChunk } from "./chunk.ts";
import { createSampleColumns } from "./sample-columns.ts";
import { chunkSamplesMax, createXorAppender, encodeXor } from "./xor-appender.ts";
import { benchXorChunks, xorChunkBenchKinds } from "./xor-chunk.bench.ts";

type Sample = readonly [timestampMs: number, bits: bigint];

const staleBits = 0x7ff0000000000002n;
const bitsOf = (value: number): bigint => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};
const samplesOf = (pairs: readonly (readonly [number, number])[]): Sample[] => pairs.map(([t, v]) => [t, bitsOf(v)]);
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));

function encode(samples: readonly Sample[]): Uint8Array {
  const timestampsMs = Float64Array.from(samples, ([t]) => t);
  const values = new Float64Array(samples.length);
  new BigUint64Array(values.buffer).set(samples.map(([, bits]) => bits));
  return encodeXor(timestampsMs, values, 0, samples.length);
}

function decode(data: Uint8Array): Sample[] | string {
  const columns = createSampleColumns(1);
  const failure = decodeChunk(1, data, columns);
  if (failure !== undefined) return failure.kind;
  const bits = new BigUint64Array(columns.values.buffer);
  return Array.from({ length: columns.count }, (_, i) => [columns.timestampsMs[i] ?? NaN, bits[i] ?? 0n] as const);
}

/** The format as its page tells it, in the plainest way: text of bits, whole numbers without bound. */
function encodePlainly(samples: readonly Sample[]): Uint8Array {
  const bin = (value: bigint, width: number) => BigInt.asUintN(width, value).toString(2).padStart(width, "0");
  const uvarint = (value: bigint): string =>
    value < 128n ? bin(value, 8) : bin((value & 127n) | 128n, 8) + uvarint(value >> 7n);
  let out = bin(BigInt(samples.length), 16);
  let window: { leading: number; trailing: number } | undefined;
  samples.forEach(([t, bits], i) => {
    const time = BigInt(t);
    const [lastTime, lastBits] = [BigInt(samples[i - 1]?.[0] ?? 0), samples[i - 1]?.[1] ?? 0n];
    if (i === 0) {
      out += uvarint(time < 0n ? -2n * time - 1n : 2n * time) + bin(bits, 64);
      return;
    }
    if (i === 1) out += uvarint(time - lastTime);
    else {
      const change = time - lastTime - (lastTime - BigInt(samples[i - 2]?.[0] ?? 0));
      if (change === 0n) out += "0";
      else if (change >= -8191n && change <= 8192n) out += `10${bin(change, 14)}`;
      else if (change >= -65535n && change <= 65536n) out += `110${bin(change, 17)}`;
      else if (change >= -524287n && change <= 524288n) out += `1110${bin(change, 20)}`;
      else out += `1111${bin(change, 64)}`;
    }
    const changed = bin(bits ^ lastBits, 64);
    if (!changed.includes("1")) {
      out += "0";
      return;
    }
    const leading = Math.min(31, changed.indexOf("1"));
    const trailing = 63 - changed.lastIndexOf("1");
    if (window !== undefined && leading >= window.leading && trailing >= window.trailing) out += "10";
    else {
      window = { leading, trailing };
      out += `11${bin(BigInt(leading), 5)}${bin(BigInt(64 - leading - trailing), 6)}`;
    }
    out += changed.slice(window.leading, 64 - window.trailing);
  });
  out = out.padEnd(Math.ceil(out.length / 8) * 8, "0");
  return Uint8Array.from(out.match(/.{8}/g) ?? [], (byte) => parseInt(byte, 2));
}

const t0 = 1_700_000_000_000;

/** Chunk bytes as Prometheus 2.42 wrote them for these samples. */
const golden: readonly (readonly [rule: string, samples: readonly Sample[], bytes: string])[] = [
  ["one sample: its time and value whole", samplesOf([[1_700_100_000_000, 7]]), "000180a4daddfa62401c000000000000"],
  [
    "a steady series costs two bits a sample after the second",
    samplesOf([0, 1, 2, 3, 4].map((i) => [t0 + i * 15_000, 1])),
    "000580a0abfef9623ff0000000000000987500",
  ],
  [
    "infinities, signed zeros, the smallest number, NaN, the largest number",
    [Infinity, -Infinity, 0, -0, 5e-324, 0x7ff8000000000001n, Number.MAX_VALUE].map((value, i) => [
      t0 + i * 15_000,
      typeof value === "bigint" ? value : bitsOf(value),
    ]),
    "000780a0abfef9627ff00000000000009875c00d80cfff5000c004000000000000000a7ff80000000000004002ffffffffffffc0",
  ],
  [
    "every class of time change at its bounds",
    samplesOf(
      [
        0, 1000, 10192, 11193, 20387, 21389, 87927, 88930, 155470, 156474, 681766, 682771, 1208065, 1209071, 1210077,
        1211084, 1212090,
      ].map((offset) => [1_699_999_200_000 + offset, 1]),
    ),
    "001180ccc9fdf9623ff0000000000000e80750002800584002de00068000340005c20002ef00007400003a00005e0000000000100002ffffffffffff8000010002bfff00",
  ],
  [
    "windows that are opened and used again",
    samplesOf([
      [t0, 0],
      [t0 + 30_000, 12],
      [t0 + 60_001, 40],
      [t0 + 90_000, 41.5],
      [t0 + 120_000, 1e9],
    ]),
    "000580a0abfef9620000000000000000b0ea01c26402c000e91777ffdc02e00073b3890d65",
  ],
];

describe("XOR chunks", () => {
  for (const [rule, samples, bytes] of golden) {
    it(`writes and reads what Prometheus does: ${rule}`, () => {
      expect(hex(encode(samples))).toBe(bytes);
      expect(hex(encodePlainly(samples))).toBe(bytes);
      expect(decode(unhex(bytes))).toEqual(samples);
    });
  }

  it("keeps the bits of a staleness marker, and of every other NaN", () => {
    const samples: Sample[] = [
      [t0, 0x7ff8000000000001n],
      [t0 + 1, staleBits],
      [t0 + 2, 0xfff0000000000001n],
      [t0 + 3, staleBits],
    ];
    expect(decode(encode(samples))).toEqual(samples);
    const appender = createXorAppender();
    appender.appendStale(t0);
    expect(decode(appender.bytes())).toEqual([[t0, staleBits]]);
  });

  it("reads a value of the whole width before any window was announced", () => {
    // What an appender that was re-opened on a chunk of one value writes: code 10 and 64 bits.
    const bits = ["0".repeat(14), "10", "0".repeat(8 + 64), "00000001", "10", "0".repeat(63), "1"].join("");
    const data = Uint8Array.from(bits.padEnd(168, "0").match(/.{8}/g) ?? [], (byte) => parseInt(byte, 2));
    expect(decode(data)).toEqual([
      [0, 0n],
      [1, 1n],
    ]);
  });

  it("appends to what the columns hold, and grows them", () => {
    const columns = createSampleColumns(2);
    const first = createXorAppender();
    first.appendStale(5);
    expect(decodeChunk(1, first.bytes(), columns)).toBeUndefined();
    const values = Float64Array.from({ length: 500 }, (_, i) => i);
    expect(decodeChunk(1, encodeXor(values, values, 100, 400), columns)).toBeUndefined();
    expect(columns.count).toBe(301);
    expect(columns.timestampsMs.subarray(0, 3)).toEqual(Float64Array.of(5, 100, 101));
    expect(new BigUint64Array(columns.values.buffer)[0]).toBe(staleBits);
    expect(columns.values[300]).toBe(399);
  });

  it("reports a chunk cut anywhere as truncated and gives none of its samples", () => {
    for (const [, samples] of golden) {
      const whole = encode(samples);
      for (let length = 0; length < whole.length; length++) expect(decode(whole.slice(0, length))).toBe("truncated");
    }
  });

  it.each([
    ["a first timestamp longer than ten bytes", "0001" + "ff".repeat(10) + "00".repeat(9)],
    ["a first timestamp beyond any date", "0001" + "ff".repeat(9) + "01" + "00".repeat(8)],
    ["a second timestamp longer than ten bytes", "0002" + "00".repeat(9) + "ff".repeat(11) + "00".repeat(9)],
    ["a value window of more than 64 bits", "0002" + "00".repeat(9) + "01fffc" + "ff".repeat(9)],
    ["a time change beyond any date", "0003" + "00".repeat(9) + "0178" + "ff".repeat(12)],
  ])("calls a chunk corrupt: %s", (_, bytes) => {
    expect(decode(unhex(bytes))).toBe("corrupt");
  });

  it("names an encoding that it does not read", () => {
    const columns = createSampleColumns(1);
    expect(decodeChunk(2, Uint8Array.of(0, 0, 0), columns)).toEqual({
      kind: "unsupported-encoding",
      encoding: 2,
      name: "native histogram",
    });
  });

  it.each([
    ["a time that does not ascend", [5, 5], /ascend/],
    ["a time that is no whole number", [0.5], /whole/],
    ["a time that is none", [NaN], /whole/],
    ["a time beyond any date", [9e15], /whole/],
  ])("throws on a caller's mistake: %s", (_, timesMs, message) => {
    const appender = createXorAppender();
    expect(() => {
      for (const timeMs of timesMs) appender.append(timeMs, 1);
    }).toThrow(message);
  });

  it("holds as many samples as its count has bits for", () => {
    const timestampsMs = Float64Array.from({ length: chunkSamplesMax + 1 }, (_, i) => i * 1000);
    const columns = createSampleColumns(0);
    expect(decodeChunk(1, encodeXor(timestampsMs, timestampsMs, 0, chunkSamplesMax), columns)).toBeUndefined();
    expect(columns.count).toBe(chunkSamplesMax);
    expect(columns.values[chunkSamplesMax - 1]).toBe((chunkSamplesMax - 1) * 1000);
    expect(() => encodeXor(timestampsMs, timestampsMs, 0, chunkSamplesMax + 1)).toThrow(RangeError);
  });

  it("starts anew after a reset", () => {
    const appender = createXorAppender();
    for (let i = 0; i < 300; i++) appender.append(t0 + i * 7, i / 3);
    appender.reset();
    appender.append(t0, 1);
    expect([appender.count, appender.minTimeMs, appender.maxTimeMs]).toEqual([1, t0, t0]);
    expect(hex(appender.bytes())).toBe(hex(encode([[t0, bitsOf(1)]])));
  });

  const gaps = fc.oneof(
    fc.constant(15_000),
    fc.integer({ min: 1, max: 40_000 }),
    fc.integer({ min: 1, max: 2 ** 40 }),
    ...[8191, 8192, 65_536, 524_288].map((bound) => fc.integer({ min: 15_000 + bound - 2, max: 15_000 + bound + 2 })),
  );
  const values = fc.oneof(
    fc.double().map(bitsOf),
    fc.integer({ min: 0, max: 100 }).map(bitsOf),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 1, max: 7 })).map(([shift, bits]) => {
      return BigInt.asUintN(64, BigInt(bits) << BigInt(shift));
    }),
    fc.constant(staleBits),
  );
  const runs = fc
    .tuple(fc.integer({ min: -8e15, max: 8e15 }), fc.array(fc.tuple(gaps, values), { maxLength: 150 }))
    .map(([startMs, steps]) => {
      let timeMs = startMs;
      return steps.map(([gapMs, bits]): Sample => [(timeMs += gapMs), bits]);
    });

  it("gives back any samples bit for bit, in the bytes that the format's page demands", () => {
    fc.assert(
      fc.property(runs, (samples) => {
        const data = encode(samples);
        expect(hex(data)).toBe(hex(encodePlainly(samples)));
        expect(decode(data)).toEqual(samples);
      }),
      { numRuns: 200 },
    );
  });

  it("reads while it is written: after every sample the bytes hold all up to it", () => {
    fc.assert(
      fc.property(runs, (samples) => {
        const appender = createXorAppender();
        samples.slice(0, 40).forEach(([timeMs, bits], i) => {
          appender.appendBits(timeMs, Number(bits >> 32n), Number(bits & 0xffffffffn));
          expect(decode(appender.bytes())).toEqual(samples.slice(0, i + 1));
          const target = new Uint8Array(appender.byteLength + 3);
          appender.copyTo(target, 3);
          expect(hex(target.subarray(3))).toBe(hex(appender.bytes()));
        });
      }),
      { numRuns: 30 },
    );
  });

  it("ends on any bytes, with samples or a failure", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        const columns = createSampleColumns(0);
        const failure = decodeChunk(1, data, columns);
        expect(columns.count === 0 || failure === undefined).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each(xorChunkBenchKinds)("runs its benchmark: %s", (kind) => {
    let tick = 0;
    const once = () => benchXorChunks(kind, 3, 2, () => tick++).checksum;
    expect(once()).toBe(once());
  });
});
