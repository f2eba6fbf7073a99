/** Answers for consecutive times to one answer: series by their labels, remarks united, statistics added. Pure. */
import { annotationsMax } from "@pleiad/http-api";
import { compareLabels, labelsKey, type Labels } from "@pleiad/model";
import type { SeriesText } from "./matrix-text.ts";

/** The series of all parts, which are in the order of their times and share no step, in label order. */
export function mergeSeries(parts: readonly (readonly SeriesText[])[]): readonly SeriesText[] {
  const filled = parts.filter((part) => part.length > 0);
  const [only] = filled;
  if (only === undefined) return [];
  if (filled.length === 1) return only;
  const merged = new Map<string, SeriesPieces>();
  for (const part of filled) {
    for (const { labels, metric, floats, histograms } of part) {
      const key = labelsKey(labels);
      let pieces = merged.get(key);
      if (pieces === undefined) merged.set(key, (pieces = { labels, metric, floats: [], histograms: [] }));
      if (floats !== "") pieces.floats.push(floats);
      if (histograms !== "") pieces.histograms.push(histograms);
    }
  }
  return [...merged.values()]
    .sort((a, b) => compareLabels(a.labels, b.labels))
    .map(({ labels, metric, floats, histograms }) => ({
      labels,
      metric,
      floats: floats.join(","),
      histograms: histograms.join(","),
    }));
}

interface SeriesPieces {
  readonly labels: Labels;
  readonly metric: string;
  readonly floats: string[];
  readonly histograms: string[];
}

/**
 * The remarks of all parts, each once. A part that had too many says how many more there were: the union then says so too,
 * by the least that there can be.
 */
export function uniteRemarks(parts: readonly (readonly string[])[], kind: "warning" | "info"): readonly string[] {
  const omission = new RegExp(`^(\\d+) more ${kind} annotations omitted$`);
  const texts = new Set<string>();
  let countMin = 0;
  for (const part of parts) {
    let count = 0;
    for (const text of part) {
      const omitted = omission.exec(text)?.[1];
      count += omitted === undefined ? 1 : Number(omitted);
      if (omitted === undefined) texts.add(text);
    }
    countMin = Math.max(countMin, count);
  }
  const omitted = Math.max(countMin, texts.size) - Math.min(texts.size, annotationsMax);
  const shown = [...texts].slice(0, annotationsMax);
  return omitted > 0 ? [...shown, `${omitted} more ${kind} annotations omitted`] : shown;
}

/** Statistics of the parts as those of the whole: peaks are the largest, lists follow each other, other numbers add up. */
export function combineStatistics(parts: readonly unknown[]): unknown {
  let whole: unknown;
  for (const part of parts) whole = combine(whole, part, "");
  return whole;
}

// The same series are selected in every part, more or less.
const largestCounts = /^peak|^seriesSelected$/;

function combine(a: unknown, b: unknown, name: string): unknown {
  if (typeof a === "number" && typeof b === "number") return largestCounts.test(name) ? Math.max(a, b) : a + b;
  if (Array.isArray(a) && Array.isArray(b)) return [...(a as unknown[]), ...(b as unknown[])];
  if (!isRecord(a) || !isRecord(b)) return a ?? b;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((field) => [field, combine(a[field], b[field], field)]));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
