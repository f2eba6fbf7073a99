/** The newest exemplars of a head, all series together, up to a bound: a new one takes the place of the oldest. */
import { labelsEqual, type Labels } from "@pleiad/model";
import type { MemorySeries } from "./memory-series.ts";

/** A sample that stands for many, and what it was seen with: a trace, as a rule. */
export interface Exemplar {
  readonly timestampMs: number;
  readonly value: number;
  readonly labels: Labels;
}

/** Of one series, by time. */
export interface SeriesExemplars {
  readonly labels: Labels;
  readonly exemplars: readonly Exemplar[];
}

/** What became of an exemplar; `duplicate`: the series' newest is the same. */
export type ExemplarOutcome = "appended" | "duplicate" | "out-of-order" | "disabled";

/** As OpenMetrics bounds the labels of one, by characters of names and values together. */
export const exemplarLabelCharactersMax = 128;

export class ExemplarRing {
  readonly #countMax: number;
  /** By age, from `#next` on once it is full. */
  readonly #kept: { readonly series: MemorySeries; readonly exemplar: Exemplar }[] = [];
  #next = 0;
  /** The newest of each series, as long as it is kept. */
  readonly #newest = new Map<MemorySeries, Exemplar>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#kept.length;
  }

  /** Whether it could be added now. */
  outcomeOf(series: MemorySeries, exemplar: Exemplar): ExemplarOutcome {
    if (this.#countMax === 0) return "disabled";
    const newest = this.#newest.get(series);
    if (newest === undefined) return "appended";
    if (isSame(newest, exemplar)) return "duplicate";
    return exemplar.timestampMs <= newest.timestampMs ? "out-of-order" : "appended";
  }

  add(series: MemorySeries, exemplar: Exemplar): ExemplarOutcome {
    const outcome = this.outcomeOf(series, exemplar);
    if (outcome !== "appended") return outcome;
    const oldest = this.#kept[this.#next];
    if (oldest !== undefined && this.#newest.get(oldest.series) === oldest.exemplar) this.#newest.delete(oldest.series);
    this.#kept[this.#next] = { series, exemplar };
    this.#next = (this.#next + 1) % this.#countMax;
    this.#newest.set(series, exemplar);
    return outcome;
  }

  /** All that are kept, the oldest first. */
  *inOrder(): Generator<{ readonly series: MemorySeries; readonly exemplar: Exemplar }> {
    const { length } = this.#kept;
    const start = length < this.#countMax ? 0 : this.#next;
    for (let i = 0; i < length; i++) {
      const one = this.#kept[(start + i) % length];
      if (one !== undefined) yield one;
    }
  }

  /** Those of the series, which are in label order, that lie in [minTimeMs, maxTimeMs]; series without any are left out. */
  select(series: readonly MemorySeries[], minTimeMs: number, maxTimeMs: number): SeriesExemplars[] {
    const wanted = new Map<MemorySeries, Exemplar[]>(series.map((one) => [one, []]));
    for (const { series: one, exemplar } of this.inOrder()) {
      if (exemplar.timestampMs < minTimeMs || exemplar.timestampMs > maxTimeMs) continue;
      wanted.get(one)?.push(exemplar);
    }
    const selected: SeriesExemplars[] = [];
    for (const [one, exemplars] of wanted) if (exemplars.length > 0) selected.push({ labels: one.labels, exemplars });
    return selected;
  }
}

function isSame(a: Exemplar, b: Exemplar): boolean {
  return a.timestampMs === b.timestampMs && Object.is(a.value, b.value) && labelsEqual(a.labels, b.labels);
}
