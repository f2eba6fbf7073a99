/** What a Prometheus says of itself and of its labels, over its HTTP API. */
import {
  fail,
  formatMatchers,
  labelsFromRecord,
  ok,
  type Labels,
  type Matcher,
  type Result,
  type SourceFailure,
} from "@pleiad/model";
import { parse } from "yaml";
import { askApi, isRecord, isTextRecord, secondsOf, timeMsMax } from "./prometheus-answer.ts";
import type { PrometheusClient } from "./prometheus-client.ts";

export interface LabelQuestion {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** One of them must not match the empty text, or there are none: Prometheus refuses all else. */
  readonly matchers: readonly Matcher[];
}

/** What its flags say of its storage. Times are in the words of Prometheus: `2h`, `15d`. */
export interface PrometheusFlags {
  readonly minBlockDuration: string;
  readonly maxBlockDuration: string;
  readonly retention: string;
  readonly storagePath: string;
}

export interface PrometheusApi {
  /** The external labels of its configuration, as it runs with them now. */
  externalLabels(signal: AbortSignal): Promise<Result<Labels, SourceFailure>>;
  flags(signal: AbortSignal): Promise<Result<PrometheusFlags, SourceFailure>>;
  version(signal: AbortSignal): Promise<Result<string, SourceFailure>>;
  /** Ok where it takes and answers requests. */
  ready(signal: AbortSignal): Promise<Result<void, SourceFailure>>;
  /** The time of its oldest sample; undefined where it has none, or does not say. */
  oldestSampleMs(signal: AbortSignal): Promise<Result<number | undefined, SourceFailure>>;
  series(question: LabelQuestion, signal: AbortSignal): Promise<Result<readonly Labels[], SourceFailure>>;
  labelNames(question: LabelQuestion, signal: AbortSignal): Promise<Result<readonly string[], SourceFailure>>;
  labelValues(
    label: string,
    question: LabelQuestion,
    signal: AbortSignal,
  ): Promise<Result<readonly string[], SourceFailure>>;
}

const smallBytesMax = 16 * 1024 * 1024;

/** `answerBytesMax` bounds lists of labels and series. */
export function createPrometheusApi(client: PrometheusClient, answerBytesMax: number): PrometheusApi {
  const corrupt = (path: string, reason: string) =>
    fail({ kind: "corrupt" as const, source: client.name, reason: `${path}: ${reason}` });

  async function text(path: string, signal: AbortSignal): Promise<Result<string, SourceFailure>> {
    const answer = await client.ask(path, { bodyBytesMax: smallBytesMax }, signal);
    return answer.ok ? ok(new TextDecoder().decode(answer.value.body)) : answer;
  }

  const data = async (path: string, form: URLSearchParams | undefined, bytesMax: number, signal: AbortSignal) =>
    await askApi(client, path, form, bytesMax, signal);

  async function list(
    path: string,
    form: URLSearchParams | undefined,
    signal: AbortSignal,
  ): Promise<Result<readonly unknown[], SourceFailure>> {
    const found = await data(path, form, answerBytesMax, signal);
    if (!found.ok) return found;
    return Array.isArray(found.value) ? ok(found.value as unknown[]) : corrupt(path, "no list");
  }

  async function texts(
    path: string,
    form: URLSearchParams | undefined,
    signal: AbortSignal,
  ): Promise<Result<readonly string[], SourceFailure>> {
    const found = await list(path, form, signal);
    if (!found.ok) return found;
    const values = found.value.filter((one) => typeof one === "string");
    return values.length === found.value.length ? ok(values) : corrupt(path, "no list of texts");
  }

  return {
    async externalLabels(signal) {
      const path = "/api/v1/status/config";
      const found = await data(path, undefined, smallBytesMax, signal);
      if (!found.ok) return found;
      const file = isRecord(found.value) ? found.value["yaml"] : undefined;
      const labels = typeof file === "string" ? externalLabelsIn(file) : undefined;
      return labels === undefined ? corrupt(path, "no configuration") : ok(labels);
    },
    async flags(signal) {
      const path = "/api/v1/status/flags";
      const found = await data(path, undefined, smallBytesMax, signal);
      if (!found.ok) return found;
      const flags = isRecord(found.value) ? found.value : {};
      const flag = (name: string) => {
        const value = flags[name];
        return typeof value === "string" ? value : "";
      };
      return ok({
        minBlockDuration: flag("storage.tsdb.min-block-duration"),
        maxBlockDuration: flag("storage.tsdb.max-block-duration"),
        retention: flag("storage.tsdb.retention.time"),
        storagePath: flag("storage.tsdb.path"),
      });
    },
    async version(signal) {
      const path = "/api/v1/status/buildinfo";
      const found = await data(path, undefined, smallBytesMax, signal);
      if (!found.ok) return found;
      const version = isRecord(found.value) ? found.value["version"] : undefined;
      return typeof version === "string" ? ok(version) : corrupt(path, "no version");
    },
    async ready(signal) {
      const answer = await text("/-/ready", signal);
      return answer.ok ? ok(undefined) : answer;
    },
    async oldestSampleMs(signal) {
      const page = await text("/metrics", signal);
      if (!page.ok) return page;
      const told = /^prometheus_tsdb_lowest_timestamp_seconds (\S+)$/m.exec(page.value)?.[1];
      const oldestMs = told === undefined ? NaN : Number(told) * 1000;
      // An empty Prometheus tells the end of time.
      return ok(Math.abs(oldestMs) < timeMsMax ? oldestMs : undefined);
    },
    async series(question, signal) {
      const found = await list("/api/v1/series", formOf(question), signal);
      if (!found.ok) return found;
      const series: Labels[] = [];
      for (const one of found.value) {
        if (!isTextRecord(one)) return corrupt("/api/v1/series", "no labels");
        series.push(labelsFromRecord(one));
      }
      return ok(series);
    },
    labelNames: (question, signal) => texts("/api/v1/labels", formOf(question), signal),
    labelValues: (label, question, signal) =>
      texts(`/api/v1/label/${labelInPath(label)}/values?${formOf(question).toString()}`, undefined, signal),
  };
}

/** The external labels in a file of configuration; undefined where it is none. */
function externalLabelsIn(file: string): Labels | undefined {
  let config: unknown;
  try {
    config = parse(file);
  } catch {
    return undefined;
  }
  const global = isRecord(config) ? config["global"] : undefined;
  const labels = isRecord(global) ? (global["external_labels"] ?? {}) : {};
  if (!isRecord(labels)) return undefined;
  // A value such as 1 or true is a text to Prometheus, whatever YAML makes of it.
  return labelsFromRecord(Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)])));
}

function formOf({ minTimeMs, maxTimeMs, matchers }: LabelQuestion): URLSearchParams {
  const form = new URLSearchParams({ start: secondsOf(minTimeMs), end: secondsOf(maxTimeMs) });
  if (matchers.length > 0) form.append("match[]", formatMatchers(matchers));
  return form;
}

/** Names beyond the old alphabet go into a path as Prometheus 3 has them: `U__a_2e_b` for `a.b`. */
function labelInPath(name: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) return name;
  const escaped = Array.from(name, (character) => {
    if (/[a-zA-Z0-9]/.test(character)) return character;
    return character === "_" ? "__" : `_${(character.codePointAt(0) ?? 0).toString(16)}_`;
  });
  return `U__${escaped.join("")}`;
}
