/** The series of a head: by reference, by labels, by matchers, and in label order. */
import {
  compareLabels,
  compileMatcher,
  fail,
  labelsEqual,
  literalAlternatives,
  ok,
  type Labels,
  type Matcher,
  type MatcherFailure,
  type Result,
} from "@pleiad/model";
import type { MemorySeries } from "./memory-series.ts";
import {
  insertPosting,
  intersectPostings,
  subtractPostings,
  uniteDisjointPostings,
  type Postings,
} from "./postings.ts";
import { RefTable } from "./ref-table.ts";

export class SeriesIndex {
  readonly #byRef = new RefTable();
  readonly #byHash = new Map<number, MemorySeries>();
  /** Label name, then value. Only series that readers may see, without external labels. */
  readonly #postings = new Map<string, Map<string, number[]>>();
  #visible: number[] = [];
  /** All visible series in label order, as far as they were there at the last `inOrder`. */
  #ordered: MemorySeries[] = [];
  #unordered: MemorySeries[] = [];

  get size(): number {
    return this.#byRef.size;
  }

  all(): Iterable<MemorySeries> {
    return this.#byRef.values();
  }

  byRef(ref: number): MemorySeries | undefined {
    return this.#byRef.get(ref);
  }

  /** The series that was made with these labels. */
  find(labels: Labels, hash: number, ownLabels: (series: MemorySeries) => Labels): MemorySeries | undefined {
    for (let series = this.#byHash.get(hash); series !== undefined; series = series.nextSameHash) {
      if (labelsEqual(ownLabels(series), labels)) return series;
    }
    return undefined;
  }

  add(series: MemorySeries): void {
    this.#byRef.set(series.ref, series);
    series.nextSameHash = this.#byHash.get(series.hash);
    this.#byHash.set(series.hash, series);
  }

  /** Lets matchers find the series, by the labels it was made with. */
  show(series: MemorySeries, ownLabels: Labels): void {
    for (let i = 0; i < ownLabels.length; i += 2) {
      const name = ownLabels[i] ?? "";
      const value = ownLabels[i + 1] ?? "";
      let values = this.#postings.get(name);
      if (values === undefined) this.#postings.set(name, (values = new Map<string, number[]>()));
      const postings = values.get(value);
      if (postings === undefined) values.set(value, [series.ref]);
      else insertPosting(postings, series.ref);
    }
    insertPosting(this.#visible, series.ref);
    this.#unordered.push(series);
  }

  /** Forgets series; `ownLabels` gives what each was made with. */
  removeAll(gone: ReadonlySet<MemorySeries>, ownLabels: (series: MemorySeries) => Labels): void {
    if (gone.size === 0) return;
    const touched = new Map<string, Set<string>>();
    const refs = new Set<number>();
    for (const series of gone) {
      refs.add(series.ref);
      this.#byRef.delete(series.ref);
      this.#unlinkHash(series);
      const labels = ownLabels(series);
      for (let i = 0; i < labels.length; i += 2) {
        const name = labels[i] ?? "";
        let values = touched.get(name);
        if (values === undefined) touched.set(name, (values = new Set<string>()));
        values.add(labels[i + 1] ?? "");
      }
    }
    const isLeft = (ref: number) => !refs.has(ref);
    for (const [name, touchedValues] of touched) {
      const values = this.#postings.get(name);
      if (values === undefined) continue;
      for (const value of touchedValues) {
        const left = values.get(value)?.filter(isLeft) ?? [];
        if (left.length === 0) values.delete(value);
        else values.set(value, left);
      }
      if (values.size === 0) this.#postings.delete(name);
    }
    this.#visible = this.#visible.filter(isLeft);
    this.#ordered = this.#ordered.filter((series) => !gone.has(series));
    this.#unordered = this.#unordered.filter((series) => !gone.has(series));
  }

  labelNames(): Iterable<string> {
    return this.#postings.keys();
  }

  labelValues(name: string): Iterable<string> {
    return this.#postings.get(name)?.keys() ?? [];
  }

  /** The visible series that fulfil all matchers, in label order. */
  select(matchers: readonly Matcher[]): Result<MemorySeries[], MatcherFailure> {
    const wanted: Postings[] = [];
    const unwanted: Postings[] = [];
    for (const matcher of matchers) {
      const found = this.#postingsOf(matcher);
      if (!found.ok) return found;
      (found.value.isExclusion ? unwanted : wanted).push(found.value.postings);
    }
    wanted.sort((a, b) => a.length - b.length);
    let refs: Postings = wanted[0] ?? this.#visible;
    for (const postings of wanted.slice(1)) refs = intersectPostings(refs, postings);
    for (const postings of unwanted) refs = subtractPostings(refs, postings);
    if (refs.length === this.#visible.length) return ok(this.inOrder().slice());
    const selected: MemorySeries[] = [];
    for (const ref of refs) {
      const series = this.#byRef.get(ref);
      if (series !== undefined) selected.push(series);
    }
    this.inOrder();
    return ok(selected.sort((a, b) => a.rank - b.rank));
  }

  /**
   * What a matcher says about the series that have its label: which of them are wanted, or, where the absence of the
   * label is fine too, which are not.
   */
  #postingsOf(matcher: Matcher): Result<{ isExclusion: boolean; postings: Postings }, MatcherFailure> {
    const test = compileMatcher(matcher);
    if (!test.ok) return fail(test.failure);
    const isExclusion = test.value("");
    const values = this.#postings.get(matcher.name);
    if (values === undefined) return ok({ isExclusion, postings: [] });
    const lists: Postings[] = [];
    const listed = listedValues(matcher, isExclusion);
    if (listed !== undefined) {
      for (const value of new Set(listed)) {
        const postings = values.get(value);
        if (postings !== undefined) lists.push(postings);
      }
    } else {
      for (const [value, postings] of values) if (test.value(value) !== isExclusion) lists.push(postings);
    }
    return ok({ isExclusion, postings: uniteDisjointPostings(lists) });
  }

  /** All visible series in label order, external labels included; valid until a series is shown or removed. */
  inOrder(): readonly MemorySeries[] {
    if (this.#unordered.length > 0) {
      const fresh = this.#unordered.sort((a, b) => compareLabels(a.labels, b.labels));
      const merged: MemorySeries[] = [];
      let at = 0;
      for (const series of this.#ordered) {
        for (
          let next = fresh[at];
          next !== undefined && compareLabels(next.labels, series.labels) < 0;
          next = fresh[at]
        ) {
          merged.push(next);
          at++;
        }
        merged.push(series);
      }
      for (const series of fresh.slice(at)) merged.push(series);
      merged.forEach((series, rank) => {
        series.rank = rank;
      });
      this.#ordered = merged;
      this.#unordered = [];
    }
    return this.#ordered;
  }

  #unlinkHash(series: MemorySeries): void {
    const first = this.#byHash.get(series.hash);
    if (first === series) {
      if (series.nextSameHash === undefined) this.#byHash.delete(series.hash);
      else this.#byHash.set(series.hash, series.nextSameHash);
      return;
    }
    for (let before = first; before !== undefined; before = before.nextSameHash) {
      if (before.nextSameHash === series) before.nextSameHash = series.nextSameHash;
    }
  }
}

/** The values that a matcher wants, or does not want, where it lists them: they are looked up, not searched for. */
function listedValues({ type, value }: Matcher, isExclusion: boolean): readonly string[] | undefined {
  const isNegative = type === "!=" || type === "!~";
  // `a=""` and `a=~"|x"` exclude all other values, `a!=""` wants them: none of those lists what is looked for.
  if (isNegative !== isExclusion) return undefined;
  return type === "=" || type === "!=" ? [value] : literalAlternatives(value);
}
