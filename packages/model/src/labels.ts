import { compareText } from "./text-order.ts";

/**
 * The labels of one series: name, value, name, value …, sorted by name, names unique, no empty value.
 * The metric name is the label `__name__`. Immutable; made only by the functions of this module.
 */
export type Labels = readonly string[] & { readonly brand: "Labels" };

export const metricNameLabel = "__name__";

export const emptyLabels: Labels = [] as unknown as Labels;

/** Takes pairs in any order; drops empty values; of a repeated name the last value stays. */
export function labelsFromPairs(pairs: Iterable<readonly [name: string, value: string]>): Labels {
  const byName = new Map<string, string>();
  for (const [name, value] of pairs) byName.set(name, value);
  const names = [...byName.keys()].sort(compareText);
  const flat: string[] = [];
  for (const name of names) {
    const value = byName.get(name) as string;
    if (value !== "") flat.push(name, value);
  }
  return flat as unknown as Labels;
}

export function labelsFromRecord(record: Readonly<Record<string, string>>): Labels {
  return labelsFromPairs(Object.entries(record));
}

/** Takes over an array that already is sorted by name, without repeats and without empty values. Not checked. */
export function labelsFromSorted(flat: readonly string[]): Labels {
  return flat as Labels;
}

/** Whether a flat array fulfils the promises of `Labels`: what comes from outside is checked with this. */
export function isSortedLabels(flat: readonly string[]): boolean {
  if (flat.length % 2 !== 0) return false;
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i + 1] === "" || flat[i] === "") return false;
    if (i > 0 && compareText(flat[i - 2] as string, flat[i] as string) >= 0) return false;
  }
  return true;
}

/** The value of a label, "" where the series lacks it. */
export function labelValue(labels: Labels, name: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1] as string;
  return "";
}

export function* labelPairs(labels: Labels): Generator<readonly [name: string, value: string]> {
  for (let i = 0; i < labels.length; i += 2) yield [labels[i] as string, labels[i + 1] as string];
}

export function labelsToRecord(labels: Labels): Record<string, string> {
  // A null prototype: a label may be called `__proto__`.
  const record = Object.create(null) as Record<string, string>;
  for (const [name, value] of labelPairs(labels)) record[name] = value;
  return record;
}

/** The order of series in every stream: pairwise name then value, by UTF-8 bytes; a prefix comes first. */
export function compareLabels(a: Labels, b: Labels): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a[i] as string;
    const y = b[i] as string;
    if (x !== y) return compareText(x, y);
  }
  return a.length - b.length;
}

export function labelsEqual(a: Labels, b: Labels): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** `labels` with those of `over` added; where both have a name, `over` wins. */
export function withLabels(labels: Labels, over: Labels): Labels {
  if (over.length === 0) return labels;
  const flat: string[] = [];
  let i = 0;
  let j = 0;
  while (i < labels.length || j < over.length) {
    const order = i >= labels.length ? 1 : j >= over.length ? -1 : compareText(labels[i] as string, over[j] as string);
    if (order < 0) {
      flat.push(labels[i] as string, labels[i + 1] as string);
      i += 2;
    } else {
      flat.push(over[j] as string, over[j + 1] as string);
      j += 2;
      if (order === 0) i += 2;
    }
  }
  return flat as unknown as Labels;
}

/** `labels` without the named ones; the same array where none of them is there. */
export function withoutLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  const { length } = labels;
  let kept = 0;
  while (kept < length && !names.has(labels[kept] as string)) kept += 2;
  if (kept >= length) return labels;
  // Mostly one goes: a copy of the right size at once, since an array that grows by `push` takes twice the room.
  const flat = labels.slice(0, length - 2);
  for (let i = kept + 2; i < length; i += 2) {
    if (names.has(labels[i] as string)) continue;
    flat[kept++] = labels[i] as string;
    flat[kept++] = labels[i + 1] as string;
  }
  flat.length = kept;
  return flat as unknown as Labels;
}

/** `labels` with only the named ones. */
export function onlyLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  const flat: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (names.has(labels[i] as string)) flat.push(labels[i] as string, labels[i + 1] as string);
  }
  return flat as unknown as Labels;
}

/** A text that equals another's exactly when the labels do: for keys of a `Map`. */
export function labelsKey(labels: Labels): string {
  // A lone surrogate cannot come out of UTF-8, so no label can hold the separator.
  return labels.join("\ud800");
}

/** 32-bit hash over names and values. For tables inside one process: not stable between releases. */
export function hashLabels(labels: Labels): number {
  let hash = 0x811c9dc5;
  for (const text of labels) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0x1ff, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 12)) >>> 0;
}

/** `name{a="b", c="d"}` as Prometheus prints a series. */
export function formatLabels(labels: Labels): string {
  const metricName = labelValue(labels, metricNameLabel);
  const plainName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metricName);
  const parts: string[] = [];
  if (metricName !== "" && !plainName) parts.push(quoteText(metricName));
  for (const [name, value] of labelPairs(labels)) {
    if (name !== metricNameLabel) parts.push(`${formatLabelName(name)}=${quoteText(value)}`);
  }
  const head = plainName ? metricName : "";
  return parts.length === 0 && head !== "" ? head : `${head}{${parts.join(", ")}}`;
}

/** A label name as PromQL writes it: bare where it may be, quoted else. */
export function formatLabelName(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quoteText(name);
}

/** A double-quoted text with the escapes that PromQL and the exposition formats share. */
export function quoteText(text: string): string {
  return `"${text.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`;
}
