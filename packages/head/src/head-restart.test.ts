/** Random lives of a head: whatever it lived through, a restart changes nothing but what is past retention. */
import { encodeXor } from "@pleiad/chunks";
import { manualClock, memoryFiles, silentObservations } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dump, named, openTestHead } from "./head.fixtures.ts";
import type { Head } from "./head.ts";

const options = {
  retentionMs: 3000,
  chunkRangeMs: 8000,
  samplesPerChunk: 4,
  walSegmentBytes: 400,
  checkpointBytesMin: 600,
  chunkFileBytesMax: 700,
};

type Act =
  | { readonly kind: "scrape"; readonly series: readonly number[]; readonly laterMs: number }
  | { readonly kind: "import"; readonly series: number; readonly atMs: number; readonly count: number }
  /** An import that is open while others append, and is then given up or not. */
  | { readonly kind: "slow import"; readonly series: number; readonly isKept: boolean }
  | { readonly kind: "maintain" }
  | { readonly kind: "close" }
  | { readonly kind: "die" };

const series = fc.integer({ min: 0, max: 3 });
const ordinary: fc.WeightedArbitrary<Act>[] = [
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("scrape" as const),
      series: fc.array(series, { minLength: 1, maxLength: 3 }),
      laterMs: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1000, max: 4000 })),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: "maintain" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "close" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "die" } as const) },
];
const imports: fc.WeightedArbitrary<Act>[] = [
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("import" as const),
      series,
      atMs: fc.integer({ min: -3000, max: 300 }),
      count: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("slow import" as const), series, isKept: fc.boolean() }) },
];

const timeOf = (line: string) => Number(line.split(" ")[1]);
const nameOf = (line: string) => line.split(" ")[0] ?? "";
const lineOf = (name: string, t: number) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, t);
  return `${name} ${t} ${view.getBigUint64(0).toString(16).padStart(16, "0")}`;
};

class Life {
  /** Every sample that the head acknowledged; its value is its time. */
  readonly acknowledged = new Set<string>();
  readonly faults: string[] = [];
  readonly #files = memoryFiles();
  #nowMs = 1_000_000;
  #hasImported = false;

  async open(): Promise<Head> {
    let ticks = 0;
    const clock = { ...manualClock(), wallMs: () => this.#nowMs, monotonicMs: () => ticks++ };
    return await openTestHead({ files: this.#files, clock, observations: silentObservations() }, options);
  }

  async live(head: Head, one: Act): Promise<Head> {
    const { kind } = one;
    if (kind === "scrape") {
      this.#nowMs += one.laterMs;
      await this.#scrape(head, one.series);
    } else if (kind === "import") {
      await this.#import(head, one.series, this.#nowMs + one.atMs, one.count, async () => true);
    } else if (kind === "slow import") {
      await this.#import(head, one.series, this.#nowMs + 2, 2, async () => {
        for (const laterMs of [9, 9]) {
          this.#nowMs += laterMs;
          await this.#scrape(head, [0, 1, 2, 3]);
        }
        return one.isKept;
      });
    } else if (kind === "maintain") {
      if (!(await head.maintain(this.#nowMs)).ok) this.faults.push("is not maintained");
    } else {
      return await this.#restart(head, kind);
    }
    return head;
  }

  /** Looks for samples that are lost, told twice, out of order, or of nobody's making. */
  async check(head: Head): Promise<void> {
    const lines = await dump(head);
    for (const [i, line] of lines.entries()) {
      if (!this.acknowledged.has(line)) this.faults.push(`invented: ${line}`);
      const previous = lines[i - 1];
      if (previous === undefined || nameOf(previous) !== nameOf(line)) continue;
      if (timeOf(line) <= timeOf(previous)) this.faults.push(`${line} behind ${previous}`);
    }
    const there = new Set(lines);
    const cutoffMs = head.statistics().maxTimeMs - options.retentionMs;
    for (const line of this.acknowledged) {
      if (timeOf(line) >= cutoffMs && !there.has(line)) this.faults.push(`lost: ${line}`);
    }
  }

  async #scrape(head: Head, indices: readonly number[]): Promise<void> {
    const appender = head.appender();
    const lines: string[] = [];
    for (const index of indices) {
      const ref = appender.series(named(`s${index}`));
      if (typeof ref !== "number") throw new Error(ref.kind);
      if (appender.append(ref, this.#nowMs, this.#nowMs) === "appended") lines.push(lineOf(`s${index}`, this.#nowMs));
    }
    if ((await appender.commit()).ok) for (const line of lines) this.acknowledged.add(line);
  }

  async #import(head: Head, index: number, firstMs: number, count: number, meanwhile: () => Promise<boolean>) {
    this.#hasImported = true;
    const importer = head.importer();
    const times = Float64Array.from({ length: count }, (_, i) => firstMs + 7 * i);
    const chunk = { minTimeMs: firstMs, maxTimeMs: times.at(-1) ?? 0, data: encodeXor(times, times, 0, count) };
    const refusal = importer.add(named(`s${index}`), [chunk]);
    if (!(await meanwhile())) return importer.rollback();
    const committed = await importer.commit();
    if (refusal !== undefined) return;
    if (!committed.ok) this.faults.push(`an import failed: ${committed.failure.kind}`);
    for (const t of times) this.acknowledged.add(lineOf(`s${index}`, t));
  }

  async #restart(head: Head, how: "close" | "die"): Promise<Head> {
    const before = new Set(await dump(head));
    if (how === "close" && !(await head.close()).ok) this.faults.push("does not close");
    const cutoffMs = head.statistics().maxTimeMs - options.retentionMs;
    const again = await this.open();
    for (const line of await dump(again)) {
      if (before.has(line)) continue;
      // An import may have parted what the log has in one piece, and be gone by now.
      const isExcused = timeOf(line) < cutoffMs && timeOf(line) > cutoffMs - options.chunkRangeMs && this.#hasImported;
      if (!isExcused) this.faults.push(`came back: ${line}`);
    }
    const { skippedSamples, repairedBytes } = again.statistics();
    if (skippedSamples + repairedBytes > 0) this.faults.push("was repaired");
    return again;
  }
}

async function faultsOf(acts: readonly Act[]): Promise<readonly string[]> {
  const life = new Life();
  let head = await life.open();
  for (const one of [...acts, { kind: "die" } as const]) {
    head = await life.live(head, one);
    await life.check(head);
  }
  return life.faults;
}

describe("a head has what it acknowledged, once and in order, and nothing expired comes back", () => {
  for (const [rule, acts] of [
    ["after any commits, maintenance and restarts", ordinary],
    ["with imports between them", [...ordinary, ...imports]],
  ] as const) {
    it(rule, async () => {
      const lives = fc.array(fc.oneof(...acts), { minLength: 10, maxLength: 60 });
      const property = fc.asyncProperty(lives, async (life) => {
        expect(await faultsOf(life)).toEqual([]);
      });
      await fc.assert(property, { numRuns: 75 });
    });
  }
});
