/** Writes the Prometheus text format: version 0.0.4, and 1.0.0 where a name needs quotes. */
import { formatFloat, quoteText } from "@pleiad/model";
import type { MetricType } from "./series-text.ts";

export interface ExpositionSample {
  /** `_sum`, `_bucket` …: what follows the family's name. */
  readonly suffix?: string;
  readonly labels?: readonly (readonly [name: string, value: string])[];
  readonly value: number;
  readonly timestampMs?: number;
}

export interface ExpositionFamily {
  readonly name: string;
  readonly help: string;
  readonly type: Extract<MetricType, "counter" | "gauge" | "histogram" | "summary" | "unknown">;
  readonly samples: Iterable<ExpositionSample>;
}

/** What `writeExposition` writes, for the Content-Type header. */
export const expositionContentType = "text/plain; version=0.0.4; charset=utf-8";

const plainName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const plainLabelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The page, families and samples in the order given, with a line feed at its end. */
export function writeExposition(families: Iterable<ExpositionFamily>): string {
  let page = "";
  for (const { name, help, type, samples } of families) {
    const familyName = plainName.test(name) ? name : quoteText(name);
    if (help !== "") page += `# HELP ${familyName} ${help.replace(/[\\\n]/g, (c) => (c === "\n" ? "\\n" : "\\\\"))}\n`;
    page += `# TYPE ${familyName} ${type === "unknown" ? "untyped" : type}\n`;
    for (const sample of samples) {
      page += `${formatSeriesText(name + (sample.suffix ?? ""), sample.labels ?? [])} ${formatFloat(sample.value)}`;
      page += sample.timestampMs === undefined ? "\n" : ` ${sample.timestampMs}\n`;
    }
  }
  return page;
}

/** A series as a page has it: `name{a="b",c="d"}`, labels in the order given. */
export function formatSeriesText(name: string, labels: readonly (readonly [name: string, value: string])[]): string {
  const bare = plainName.test(name);
  const parts = bare ? [] : [quoteText(name)];
  for (const [label, value] of labels) {
    parts.push(`${plainLabelName.test(label) ? label : quoteText(label)}=${quoteText(value)}`);
  }
  return (bare ? name : "") + (parts.length === 0 ? "" : `{${parts.join(",")}}`);
}
