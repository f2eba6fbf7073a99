/** Series that no well-behaved target has, for a head that two engines are asked about. */
import { encodeXor } from "@pleiad/chunks";
import type { Head } from "@pleiad/head";
import { labelsFromRecord, setStale } from "@pleiad/model";

/** A value, a staleness marker, or nothing at this step. */
type OddValue = number | "stale" | undefined;

interface OddSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly at: (step: number) => OddValue;
}

const stepMs = 5000;
const stepCount = 720;
const samplesPerChunk = 120;

const gauge = (shape: string, at: OddSeries["at"]): OddSeries => ({ labels: { __name__: "odd_gauge", shape }, at });
const counter = (shape: string, at: OddSeries["at"]): OddSeries => ({ labels: { __name__: "odd_total", shape }, at });
const bucket = (histogram: string, le: string, at: OddSeries["at"]): OddSeries => ({
  labels: { __name__: "odd_seconds_bucket", histogram, le },
  at,
});
const side = (name: string, labels: Readonly<Record<string, string>>, at: OddSeries["at"]): OddSeries => ({
  labels: { __name__: name, ...labels },
  at,
});

const series: readonly OddSeries[] = [
  gauge("nan", (i) => (i % 7 === 0 ? NaN : i)),
  gauge("infinite", (i) => (i % 50 === 0 ? Infinity : i % 50 === 25 ? -Infinity : i)),
  gauge("zero", (i) => (i % 2 === 0 ? 0 : -0)),
  gauge("huge", (i) => (i % 2 === 0 ? 1e150 : -2e150)),
  gauge("tiny", (i) => i * 1e-290),
  gauge("wave", (i) => Math.round(1000 * Math.sin(i / 9)) / 8),
  gauge("negative", (i) => -1 - (i % 13)),
  gauge("stale", (i) => (i % 40 < 30 ? i : i % 40 === 30 ? "stale" : undefined)),
  gauge("gap", (i) => (i % 200 < 100 ? i : undefined)),
  gauge("sparse", (i) => (i % 55 === 0 ? i : undefined)),
  gauge("text", (i) => (i % 2 === 0 ? 1 : 1e-7)),
  counter("resets", (i) => 3 * (i % 61)),
  counter("flat", () => 17),
  counter("stale", (i) => (i % 90 < 80 ? 1000 + 2 * i : i % 90 === 80 ? "stale" : undefined)),
  counter("fast", (i) => 1e9 + 12_345.678 * i),
  counter("single", (i) => (i % 100 === 50 ? 7 : undefined)),
  ...(["0.1", "0.5", "1", "2.5", "+Inf"] as const).map((le, b) => bucket("good", le, (i) => (b + 1) * i)),
  ...(["0.1", "1", "10"] as const).map((le, b) => bucket("endless", le, (i) => (b + 1) * i)),
  ...(["0.1", "1", "1.0", "1e1", "+Inf"] as const).map((le, b) => bucket("double", le, (i) => (b + 1) * i)),
  ...(["0.1", "1", "+Inf"] as const).map((le, b) => bucket("falling", le, (i) => [2, 1, 3][b] ?? 0 * i)),
  ...(["-1", "0", "+Inf"] as const).map((le, b) => bucket("negative", le, (i) => (b + 1) * (i + 1))),
  ...(["abc", "", "0.5", "+Inf"] as const).map((le, b) => bucket("words", le, (i) => b * (i + 1))),
  bucket("alone", "+Inf", (i) => i),
  ...(["0.5", "+Inf"] as const).map((le) => bucket("empty", le, () => 0)),
  ...["1", "2", "3"].map((id) => side("odd_left", { id, zone: Number(id) % 2 ? "x" : "y" }, (i) => i + Number(id))),
  ...["1", "2", "4"].map((id) => side("odd_right", { id, owner: `o${id}` }, (i) => 2 * i - Number(id))),
  side("odd_many", { id: "1", part: "a" }, (i) => i),
  side("odd_many", { id: "1", part: "b" }, (i) => i + 1),
  side("odd_many", { id: "2", part: "a" }, (i) => i + 2),
  side("odd_first_half", { id: "1" }, (i) => (i < 360 ? i : i === 360 ? "stale" : undefined)),
  side("odd_second_half", { id: "1" }, (i) => (i > 360 ? i : undefined)),
  side("odd_double_a", { id: "1" }, (i) => i),
  side("odd_double_b", { id: "1" }, (i) => i),
  side("odd_text", { text: '<b>&"quoted"\\ line\nbreak \u2028ü🙂' }, (i) => i),
];

/** Adds the odd series, an hour of them up to `endMs`, as closed chunks. */
export async function importOddSeries(head: Head, endMs: number): Promise<void> {
  const importer = head.importer();
  for (const { labels, at } of series) {
    const samples: { readonly timeMs: number; readonly value: number | "stale" }[] = [];
    for (let i = 0; i < stepCount; i++) {
      const value = at(i);
      if (value !== undefined) samples.push({ timeMs: endMs - (stepCount - 1 - i) * stepMs, value });
    }
    const times = Float64Array.from(samples, ({ timeMs }) => timeMs);
    const values = Float64Array.from(samples, ({ value }) => (value === "stale" ? 0 : value));
    samples.forEach(({ value }, i) => {
      if (value === "stale") setStale(values, i);
    });
    const chunks = [];
    for (let from = 0; from < times.length; from += samplesPerChunk) {
      const to = Math.min(times.length, from + samplesPerChunk);
      const [minTimeMs, maxTimeMs] = [times[from] as number, times[to - 1] as number];
      chunks.push({ minTimeMs, maxTimeMs, data: encodeXor(times, values, from, to) });
    }
    const refusal = importer.add(labelsFromRecord(labels), chunks);
    if (refusal !== undefined) throw new Error(`${JSON.stringify(labels)} is refused: ${refusal.kind}`);
  }
  const committed = await importer.commit();
  if (!committed.ok) throw new Error(`the odd series are not imported: ${committed.failure.kind}`);
}
