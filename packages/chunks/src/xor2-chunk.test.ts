import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeChunk } from "./chunk.ts";
import { createSampleColumns, reserveSamples, type SampleColumns } from "./sample-columns.ts";
import { encodeXor } from "./xor-appender.ts";
import { encodeXor2 } from "./xor2-encoder.ts";

type Sample = readonly [timestampMs: number, bits: bigint, startMs: number];

const staleBits = 0x7ff0000000000002n;
const bitsOf = (value: number): bigint => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};

function columnsOf(samples: readonly Sample[]): SampleColumns {
  const columns = createSampleColumns(0, { startTimestamps: true });
  reserveSamples(columns, samples.length);
  for (const [timestampMs, bits, startMs] of samples) {
    columns.timestampsMs[columns.count] = timestampMs;
    columns.valueWords[2 * columns.count] = Number(bits & 0xffffffffn);
    columns.valueWords[2 * columns.count + 1] = Number(bits >> 32n);
    columns.startTimestampsMs?.fill(startMs, columns.count);
    columns.count++;
  }
  return columns;
}

const encode = (samples: readonly Sample[]) => encodeXor2(columnsOf(samples), 0, samples.length);

function samplesOf(columns: SampleColumns): Sample[] {
  const bits = new BigUint64Array(columns.values.buffer);
  return Array.from({ length: columns.count }, (_, i) => [
    columns.timestampsMs[i] ?? NaN,
    bits[i] ?? 0n,
    columns.startTimestampsMs?.[i] ?? NaN,
  ]);
}

function decode(data: Uint8Array): Sample[] | string {
  const columns = createSampleColumns(1, { startTimestamps: true });
  const failure = decodeChunk(4, data, columns);
  return failure === undefined ? samplesOf(columns) : failure.kind;
}

/** The format as its page tells it, in the plainest way: text of bits, whole numbers without bound. */
function encodePlainly(samples: readonly Sample[]): string {
  const bin = (value: bigint, width: number) => BigInt.asUintN(width, value).toString(2).padStart(width, "0");
  const uvarint = (value: bigint): string =>
    value < 128n ? bin(value, 8) : bin((value & 127n) | 128n, 8) + uvarint(value >> 7n);
  const varint = (value: bigint) => uvarint(value < 0n ? -2n * value - 1n : 2n * value);
  const varbit = (value: bigint) => {
    if (value === 0n) return "0";
    for (const [prefix, width] of [
      ["10", 3],
      ["110", 6],
      ["1110", 9],
      ["11110", 12],
      ["111110", 18],
      ["1111110", 25],
      ["11111110", 56],
    ] as const) {
      const half = 1n << BigInt(width - 1);
      if (value > -half && value <= half) return prefix + bin(value, width);
    }
    return `11111111${bin(value, 64)}`;
  };
  let out = "";
  let baseline = 0n;
  let window: { leading: number; trailing: number } | undefined;
  let changesFrom = 0;
  const change = (bits: bigint, reuse: string, anew: string) => {
    const x = bin(bits ^ baseline, 64);
    const leading = Math.min(x.indexOf("1"), 31);
    const trailing = 63 - x.lastIndexOf("1");
    if (window !== undefined && leading >= window.leading && trailing >= window.trailing) {
      return reuse + x.slice(window.leading, 64 - window.trailing);
    }
    window = { leading, trailing };
    const significant = x.slice(leading, 64 - trailing);
    return anew + bin(BigInt(leading), 5) + bin(BigInt(significant.length), 6) + significant;
  };
  const value = (bits: bigint) => (bits === staleBits ? "111" : bits === baseline ? "0" : change(bits, "10", "110"));
  samples.forEach(([t, bits, startMs], i) => {
    const time = (at: number) => BigInt(samples[at]?.[0] ?? 0);
    const start = (at: number) => BigInt(samples[at]?.[2] ?? 0);
    const dod = time(i) - time(i - 1) - (time(i - 1) - time(i - 2));
    if (i === 0) out += varint(BigInt(t)) + bin(bits, 64);
    else if (i === 1) out += uvarint(time(1) - time(0)) + value(bits);
    else if (dod === 0n && bits === staleBits) out += "11111";
    else if (dod === 0n && bits === baseline) out += "0";
    else if (dod === 0n) out += `10${change(bits, "0", "1")}`;
    else if (dod >= -4096n && dod <= 4095n) out += `110${bin(dod, 13)}${value(bits)}`;
    else if (dod >= -524288n && dod <= 524287n) out += `1110${bin(dod, 20)}${value(bits)}`;
    else out += `11110${bin(dod, 64)}${value(bits)}`;
    const gap = (at: number) => time(at - 1) - start(at);
    if (i === 0) out += startMs === 0 ? "" : varint(BigInt(t - startMs));
    else if (changesFrom > 0) out += varbit(gap(i) - gap(i - 1));
    else if (start(i) !== start(i - 1) || i === 127) {
      changesFrom = i;
      out += varbit(gap(i));
    }
    if (bits !== staleBits) baseline = bits;
  });
  const header = bin(BigInt(samples.length), 16) + (samples[0]?.[2] ? "1" : "0") + bin(BigInt(changesFrom), 7);
  const text = header + out;
  return (text.padEnd(Math.ceil(text.length / 8) * 8, "0").match(/.{8}/g) ?? [])
    .map((byte) => parseInt(byte, 2).toString(16).padStart(2, "0"))
    .join("");
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const t0 = 1_700_000_000_000;

describe("XOR2 chunks", () => {
  const one = bitsOf(1);
  it.each<[string, Sample[]]>([
    ["a steady value", [0, 1, 2, 3].map((i) => [t0 + i * 15_000, one, 0])],
    [
      "a staleness marker that is no base for the next value",
      [
        [t0, one, 0],
        [t0 + 1, staleBits, 0],
        [t0 + 2, one, 0],
      ],
    ],
    [
      "a staleness marker first",
      [
        [t0, staleBits, 0],
        [t0 + 1, one, 0],
        [t0 + 2, staleBits, 0],
        [t0 + 3, one, 0],
      ],
    ],
    ["one start timestamp for all", [0, 1, 2, 3].map((i) => [t0 + i, one, t0 - 5000])],
    [
      "start timestamps from the second sample on",
      [
        [t0, one, 0],
        [t0 + 9, one, t0],
        [t0 + 18, one, t0 + 9],
      ],
    ],
    ["a start timestamp that comes late and goes", [0, 1, 2, 3, 4].map((i) => [t0 + i * 10, one, i === 3 ? t0 : 0])],
    [
      "a start timestamp after its sample",
      [
        [t0, one, t0 + 7],
        [t0 + 5, one, t0 + 90],
      ],
    ],
    [
      "a start timestamp that changes beyond the 127th sample",
      Array.from({ length: 140 }, (_, i) => [i, one, i < 135 ? 4 : 99]),
    ],
    [
      "every class of time change at its bounds",
      changesOf([-4097, -4096, 4095, 4096, -524_289, -524_288, 524_287, 524_288]),
    ],
  ])("keeps samples, in the bytes that the format's page demands: %s", (_, samples) => {
    const data = encode(samples);
    expect(decode(data)).toEqual(samples);
    expect(hex(data)).toBe(encodePlainly(samples));
  });

  it("is read without start timestamps where no column asks for them", () => {
    const columns = createSampleColumns(0);
    expect(decodeChunk(4, encode([[t0, one, t0 - 1]]), columns)).toBeUndefined();
    expect([columns.count, columns.timestampsMs[0], columns.values[0], columns.startTimestampsMs]).toEqual([
      1,
      t0,
      1,
      undefined,
    ]);
  });

  it("says that samples of an XOR chunk have no start timestamp", () => {
    const columns = columnsOf([[t0, one, t0 - 1]]);
    columns.startTimestampsMs?.fill(7);
    const values = Float64Array.of(t0 + 1, t0 + 2);
    expect(decodeChunk(1, encodeXor(values, values, 0, 2), columns)).toBeUndefined();
    expect(columns.startTimestampsMs).toEqual(Float64Array.of(7, 0, 0));
  });

  it("reports a chunk cut anywhere as truncated and gives none of its samples", () => {
    const data = encode([
      [t0, one, t0 - 1],
      [t0 + 10, bitsOf(2.5), t0],
      [t0 + 20, bitsOf(Math.PI), t0 + 10],
      [t0 + 31, staleBits, t0 + 10],
    ]);
    for (let length = 0; length < data.length; length++) expect(decode(data.slice(0, length))).toBe("truncated");
  });

  const gaps = fc.oneof(fc.constant(15_000), fc.integer({ min: 1, max: 40_000 }), fc.integer({ min: 1, max: 2 ** 40 }));
  const values = fc.oneof(
    fc.integer({ min: 0, max: 3 }).map(bitsOf),
    fc.double().map(bitsOf),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constant(staleBits),
  );
  const starts = fc.oneof(
    fc.constant("same" as const),
    fc.constant("none" as const),
    fc.integer({ min: -100, max: 100_000 }),
  );
  const runs = fc
    .tuple(fc.integer({ min: -1e15, max: 1e15 }), fc.array(fc.tuple(gaps, values, starts), { maxLength: 150 }))
    .map(([firstMs, steps]) => {
      let timeMs = firstMs;
      let startMs = 0;
      return steps.map(([gapMs, bits, start]): Sample => {
        timeMs += gapMs;
        if (start === "none") startMs = 0;
        else if (start !== "same") startMs = timeMs - start;
        return [timeMs, bits, startMs];
      });
    });

  it("gives back any samples bit for bit, in the bytes that the format's page demands", () => {
    fc.assert(
      fc.property(runs, (samples) => {
        const data = encode(samples);
        expect(hex(data)).toBe(encodePlainly(samples));
        expect(decode(data)).toEqual(samples);
      }),
      { numRuns: 150 },
    );
  });

  it("ends on any bytes and on damaged ones, with samples or a failure", () => {
    fc.assert(
      fc.property(runs, fc.uint8Array({ maxLength: 100 }), fc.nat(), (samples, noise, at) => {
        const damaged = encode(samples);
        damaged.set(noise.subarray(0, Math.max(0, damaged.length - (at % damaged.length))), at % damaged.length);
        for (const data of [noise, damaged]) {
          const columns = createSampleColumns(0);
          const failure = decodeChunk(4, data, columns);
          expect(columns.count === 0 || failure === undefined).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});

function changesOf(changes: readonly number[]): Sample[] {
  let deltaMs = 2 ** 21;
  let timeMs = t0;
  return [0, 0, ...changes].map((change) => [(timeMs += deltaMs += change), bitsOf(1), 0]);
}
