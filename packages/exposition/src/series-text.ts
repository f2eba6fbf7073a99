/** The text of one series on a page, `name{label="value"}`, turned into labels. */
import { labelsFromPairs, metricNameLabel, type Labels } from "@pleiad/model";
import { formatOpenMetricsFloat, parseExpositionFloat } from "./float-text.ts";

/** Types of metric families; `unknown` also is the text format's `untyped`. */
export type MetricType =
  | "counter"
  | "gauge"
  | "histogram"
  | "gaugehistogram"
  | "summary"
  | "info"
  | "stateset"
  | "unknown";

// A byte order mark inside a value is data.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The labels of a series text that `parseExposition` gave to its sink; of other bytes the result has no meaning.
 * `type` is that of the family: with it the values of `le` and `quantile` come out in one spelling (`1` is `1.0`), as
 * Prometheus stores them, so that a target keeps its series when it changes the format.
 */
export function decodeSeries(page: Uint8Array, start: number, end: number, type: MetricType): Labels {
  const pairs: (readonly [name: string, value: string])[] = [];
  let at = start;
  if (!isQuoteOrBrace(page[at])) {
    while (at < end && !isBlankOrBrace(page[at])) at++;
    pairs.push([metricNameLabel, decodeText(page, start, at)]);
  }
  while (at < end) {
    const c = page[at];
    if (!isNameStart(c) && c !== 0x22) {
      at++; // braces, commas, blanks
      continue;
    }
    const nameStart = at;
    at = c === 0x22 ? quotedEnd(page, at, end) : nameEnd(page, at, end);
    const name = c === 0x22 ? unquote(page, nameStart, at) : decodeText(page, nameStart, at);
    while (at < end && isBlank(page[at])) at++;
    if (page[at] !== 0x3d) {
      pairs.push([metricNameLabel, name]); // a quoted text that stands alone is the metric name
      continue;
    }
    while (at < end && page[at] !== 0x22) at++;
    const valueStart = at;
    at = quotedEnd(page, at, end);
    pairs.push([name, normalValue(type, name, unquote(page, valueStart, at))]);
  }
  return labelsFromPairs(pairs);
}

function normalValue(type: MetricType, name: string, value: string): string {
  if (!((type === "histogram" && name === "le") || (type === "summary" && name === "quantile"))) return value;
  const bound = parseExpositionFloat(value);
  return bound === undefined ? value : formatOpenMetricsFloat(bound);
}

function isBlank(c: number | undefined): boolean {
  return c === 0x20 || c === 0x09;
}

function isQuoteOrBrace(c: number | undefined): boolean {
  return c === 0x22 || c === 0x7b;
}

function isBlankOrBrace(c: number | undefined): boolean {
  return c === 0x20 || c === 0x09 || c === 0x7b;
}

function isNameStart(c = 0): boolean {
  return (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f;
}

function nameEnd(page: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const c = page[at] ?? 0;
    if (!isNameStart(c) && !(c >= 0x30 && c <= 0x39)) break;
  }
  return at;
}

/** The index after the closing quote of the text that opens at `start`. */
function quotedEnd(page: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  while (at < end && page[at] !== 0x22) at += page[at] === 0x5c ? 2 : 1;
  return at + 1;
}

function unquote(page: Uint8Array, start: number, end: number): string {
  const text = decodeText(page, start + 1, end - 1);
  if (!text.includes("\\")) return text;
  // Other escapes are kept with their backslash.
  return text.replace(/\\[\\"n]/g, (escape) => (escape === "\\n" ? "\n" : escape.slice(1)));
}

function decodeText(page: Uint8Array, start: number, end: number): string {
  return utf8.decode(page.subarray(start, end));
}
