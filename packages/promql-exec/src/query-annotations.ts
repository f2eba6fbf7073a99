/**
 * Remarks that travel beside an answer. One text is one remark, however many parts of a query say it: it carries the
 * position of the last of them, as Prometheus has it.
 */
import { formatGoFloat } from "@pleiad/model";
import { positionOf, type SourceRange } from "@pleiad/promql-syntax";

/** What a remark tells of all its occurrences together, between its text and its position. */
export type RemarkDetail =
  | { readonly kind: "occurrences"; readonly count: number }
  | {
      readonly kind: "bucket-repairs"; // classic histograms that were not cumulative
      readonly count: number;
      readonly minBound: number;
      readonly maxBound: number;
      readonly maxDifference: number;
      readonly firstMs: number;
      readonly lastMs: number;
    };

export interface QueryAnnotations {
  warn(range: SourceRange, text: string, detail?: RemarkDetail): void;
  inform(range: SourceRange, text: string, detail?: RemarkDetail): void;
  /** Takes over a whole sentence of a part that evaluated a piece of the query. */
  quote(sentence: string): void;
  /** Whole sentences as the API prints them. */
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** Beyond so many of a kind, new ones are dropped: values that queries make may stand in them. */
export const remarksMax = 10_000;

interface Remark {
  range: SourceRange;
  detail: RemarkDetail | undefined;
}

export function createQueryAnnotations(query: string): QueryAnnotations {
  return new RemarksOfQuery(query);
}

/** The same remarks, each said of every place: `shifts` are from where it is said to these, in characters. */
export function repeatRemarks(annotations: QueryAnnotations, shifts: readonly number[]): QueryAnnotations {
  return new RepeatedRemarks(annotations, shifts);
}

class RepeatedRemarks implements QueryAnnotations {
  readonly #annotations: QueryAnnotations;
  readonly #shifts: readonly number[];

  constructor(annotations: QueryAnnotations, shifts: readonly number[]) {
    this.#annotations = annotations;
    this.#shifts = shifts;
  }

  quote(sentence: string): void {
    this.#annotations.quote(sentence);
  }

  warn({ start, end }: SourceRange, text: string, detail?: RemarkDetail): void {
    for (const by of this.#shifts) this.#annotations.warn({ start: start + by, end: end + by }, text, detail);
  }

  inform({ start, end }: SourceRange, text: string, detail?: RemarkDetail): void {
    for (const by of this.#shifts) this.#annotations.inform({ start: start + by, end: end + by }, text, detail);
  }

  get warnings(): readonly string[] {
    return this.#annotations.warnings;
  }

  get infos(): readonly string[] {
    return this.#annotations.infos;
  }
}

/** A class for its getters: see `late-operator`. */
class RemarksOfQuery implements QueryAnnotations {
  readonly #query: string;
  readonly #warnings = new Map<string, Remark>();
  readonly #infos = new Map<string, Remark>();
  readonly #quoted = new Set<string>();

  constructor(query: string) {
    this.#query = query;
  }

  quote(sentence: string): void {
    if (this.#quoted.size < remarksMax) this.#quoted.add(sentence);
  }

  warn(range: SourceRange, text: string, detail?: RemarkDetail): void {
    add(this.#warnings, range, text, detail);
  }

  inform(range: SourceRange, text: string, detail?: RemarkDetail): void {
    add(this.#infos, range, text, detail);
  }

  get warnings(): readonly string[] {
    return united(sentences("PromQL warning", this.#warnings, this.#query), this.#quoted, "PromQL warning");
  }

  get infos(): readonly string[] {
    return united(sentences("PromQL info", this.#infos, this.#query), this.#quoted, "PromQL info");
  }
}

function add(remarks: Map<string, Remark>, range: SourceRange, text: string, detail: RemarkDetail | undefined): void {
  const remark = remarks.get(text);
  if (remark === undefined) {
    if (remarks.size < remarksMax) remarks.set(text, { range, detail });
    return;
  }
  // Parts of a query are evaluated at the same time: which is the last is told by where it stands.
  if (range.start > remark.range.start) remark.range = range;
  if (detail !== undefined) remark.detail = remark.detail === undefined ? detail : mergeDetails(remark.detail, detail);
}

function mergeDetails(before: RemarkDetail, detail: RemarkDetail): RemarkDetail {
  const count = before.count + detail.count;
  if (before.kind === "occurrences" || detail.kind === "occurrences") return { kind: "occurrences", count };
  return {
    kind: "bucket-repairs",
    count,
    minBound: Math.min(before.minBound, detail.minBound),
    maxBound: Math.max(before.maxBound, detail.maxBound),
    maxDifference: Math.max(before.maxDifference, detail.maxDifference),
    firstMs: Math.min(before.firstMs, detail.firstMs),
    lastMs: Math.max(before.lastMs, detail.lastMs),
  };
}

function sentences(prefix: string, remarks: ReadonlyMap<string, Remark>, query: string): readonly string[] {
  if (remarks.size === 0) return [];
  return Array.from(remarks, ([text, { range, detail }]) => {
    const { line, column } = positionOf(query, range.start);
    return `${prefix}: ${text}${detail === undefined ? "" : formatDetail(detail)} (${line}:${column})`;
  });
}

/** Own and quoted sentences: of those that differ in their position alone, the last one. */
function united(own: readonly string[], quoted: ReadonlySet<string>, prefix: string): readonly string[] {
  if (quoted.size === 0) return own;
  const kept = new Map<string, { readonly sentence: string; readonly line: number; readonly column: number }>();
  for (const sentence of [...own, ...quoted]) {
    if (!sentence.startsWith(`${prefix}: `)) continue;
    const [position, line = 0, column = 0] = / \((\d+):(\d+)\)$/.exec(sentence) ?? [""];
    const text = sentence.slice(0, sentence.length - position.length);
    const place = { sentence, line: Number(line), column: Number(column) };
    const before = kept.get(text);
    const isLater =
      before === undefined || place.line > before.line || (place.line === before.line && place.column > before.column);
    if (isLater) kept.set(text, place);
  }
  return Array.from(kept.values(), ({ sentence }) => sentence);
}

function formatDetail(detail: RemarkDetail): string {
  if (detail.kind === "occurrences") return detail.count > 1 ? ` (${detail.count} occurrences)` : "";
  const { count, minBound, maxBound, maxDifference, firstMs, lastMs } = detail;
  const moment = (timestampMs: number) => new Date(timestampMs).toISOString().replace(/\.\d+Z$/, "Z");
  return (
    `, from buckets ${formatGoFloat(minBound)} to ${formatGoFloat(maxBound)}, ` +
    `with a max diff of ${formatTwoDigits(maxDifference)}, ` +
    `over ${count} samples from ${moment(firstMs)} to ${moment(lastMs)}`
  );
}

/** Two significant digits, as Go's %.2g writes them: as a power of ten from 100 on. */
function formatTwoDigits(value: number): string {
  const [digits, exponent] = value.toExponential(1).split("e").map(Number);
  if (exponent >= -4 && exponent < 2) return String(Number(value.toPrecision(2)));
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
