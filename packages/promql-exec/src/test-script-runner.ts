/** Runs test scripts against an engine: loads samples into chunks in memory, asks, and compares as Prometheus does. */
import { encodeXor } from "@pleiad/chunks";
import {
  compareLabels,
  compileMatchers,
  cursorOf,
  fail,
  formatLabels,
  labelsFromPairs,
  labelPairs,
  labelsKey,
  labelValue,
  metricNameLabel,
  ok,
  setStale,
  unreachable,
  xorEncoding,
  type ChunkEncoding,
  type Labels,
  type SeriesSource,
  type SourceChunk,
  type SourceSeries,
} from "@pleiad/model";
import { defaultParseOptions, formatExpression, parseExpression, type Expression } from "@pleiad/promql-syntax";
import type { AnswerValue, QueryAnswer, QueryFailure, SourceSettings } from "./answer.ts";
import type { Engine } from "./engine.ts";
import type { AnnotationExpectation, EvalCommand, ScriptCommand, ScriptSeries } from "./test-script.ts";

/** Series in memory, in chunks of at most 120 samples, as a head would cut them. */
interface ScriptStorage {
  readonly source: SeriesSource;
  load(command: Extract<ScriptCommand, { kind: "load" }>): void;
  clear(): void;
}

/** Stands for native histograms, which these scripts load and which no decoder here reads. */
const histogramEncoding: ChunkEncoding = 3;
const chunkSamples = 120;

function createScriptStorage(): ScriptStorage {
  let stored = new Map<string, SourceSeries>();
  return {
    source: {
      select(request, signal) {
        if (signal.aborted) return cursorOf([], { failure: { kind: "canceled", source: "script" } });
        const matches = compileMatchers(request.matchers);
        if (!matches.ok) {
          return cursorOf([], { failure: { kind: "invalid", source: "script", reason: matches.failure.reason } });
        }
        const inRange = ({ minTimeMs, maxTimeMs }: SourceChunk) =>
          maxTimeMs >= request.minTimeMs && minTimeMs <= request.maxTimeMs;
        const series = [...stored.values()]
          .filter((one) => matches.value(one.labels))
          .map((one) => ({ ...one, chunks: one.chunks.filter(inRange) }))
          .filter((one) => one.chunks.length > 0);
        return cursorOf(series.sort((a, b) => compareLabels(a.labels, b.labels)));
      },
      labelNames: async () => ok({ values: [], warnings: [] }),
      labelValues: async () => fail({ kind: "unavailable", source: "script", reason: "labels are not asked for here" }),
    },
    load({ series, stepMs, withNativeHistograms }) {
      // Within one block, a repeated series takes the place of the one before.
      const lastOf = new Map(series.map((one) => [labelsKey(one.labels), one]));
      for (const one of lastOf.values()) {
        const chunks = encodeSeries(one, stepMs);
        addChunks(stored, one.labels, chunks);
        if (!withNativeHistograms) continue;
        const name = labelValue(one.labels, metricNameLabel);
        if (!name.endsWith("_bucket")) continue;
        const pairs = [...labelPairs(one.labels)].filter(([label]) => label !== "le" && label !== metricNameLabel);
        const nativeLabels = labelsFromPairs([...pairs, [metricNameLabel, name.slice(0, -"_bucket".length)]]);
        addChunks(
          stored,
          nativeLabels,
          chunks.map((chunk) => ({ ...chunk, content: histogramContent })),
        );
      }
    },
    clear() {
      stored = new Map();
    },
  };
}

const histogramContent: SourceChunk["content"] = {
  kind: "raw",
  encoding: histogramEncoding,
  data: new Uint8Array([0, 0]),
};

function addChunks(stored: Map<string, SourceSeries>, labels: Labels, chunks: readonly SourceChunk[]): void {
  const key = labelsKey(labels);
  const before = stored.get(key)?.chunks ?? [];
  const all = [...before, ...chunks].sort((a, b) => a.minTimeMs - b.minTimeMs || a.maxTimeMs - b.maxTimeMs);
  stored.set(key, { labels, chunks: all });
}

function encodeSeries({ values }: ScriptSeries, stepMs: number): readonly SourceChunk[] {
  const chunks: SourceChunk[] = [];
  const timestampsMs = new Float64Array(values.length);
  const samples = new Float64Array(values.length);
  let count = 0;
  let from = 0;
  const cut = () => {
    if (count === from) return;
    const data = encodeXor(timestampsMs, samples, from, count);
    const content = { kind: "raw", encoding: xorEncoding, data } as const;
    chunks.push({ minTimeMs: timestampsMs[from], maxTimeMs: timestampsMs[count - 1], content });
    from = count;
  };
  values.forEach((value, i) => {
    if (value === undefined) return;
    if (value === "histogram") {
      chunks.push({ minTimeMs: i * stepMs, maxTimeMs: i * stepMs, content: histogramContent });
      return;
    }
    timestampsMs[count] = i * stepMs;
    if (value === "stale") setStale(samples, count);
    else samples[count] = value;
    count++;
    if (count - from === chunkSamples) cut();
  });
  cut();
  return chunks;
}

/** What became of one eval; no fault where it passed. */
export interface EvalOutcome {
  readonly command: EvalCommand;
  readonly fault: string | undefined;
}

/**
 * Runs a script from its start. Every eval runs as written and, where the language asks for it, inside a range query, and
 * at other times with its own time written into the query.
 */
export async function runScript(commands: readonly ScriptCommand[], engine: Engine): Promise<readonly EvalOutcome[]> {
  const storage = createScriptStorage();
  const outcomes: EvalOutcome[] = [];
  for (const command of commands) {
    if (command.kind === "clear") storage.clear();
    else if (command.kind === "load") storage.load(command);
    else {
      const { source } = storage;
      const fault =
        (await runEval(command, engine, source)) ??
        (await runEvalAsRange(command, engine, source)) ??
        (await runEvalPinned(command, engine, source));
      outcomes.push({ command, fault });
    }
  }
  return outcomes;
}

async function runEval(command: EvalCommand, engine: Engine, source: SeriesSource): Promise<string | undefined> {
  const { signal } = new AbortController();
  const { query, startMs, endMs, stepMs } = command;
  const result =
    stepMs === 0
      ? await engine.instant({ query, timeMs: startMs, select: plainSettings }, source, signal)
      : await engine.range({ query, startMs, endMs, stepMs, select: plainSettings }, source, signal);
  return result.ok ? judgeAnswer(command, result.value) : judgeFailure(command, result.failure);
}

/** The same instant eval as the middle step of a range query; undefined where the language does not ask for that. */
async function runEvalAsRange(command: EvalCommand, engine: Engine, source: SeriesSource): Promise<string | undefined> {
  const { result } = command;
  const isSkipped =
    command.stepMs !== 0 ||
    command.ordered ||
    result.kind === "string" ||
    result.kind === "range-vector" ||
    command.annotations.some(({ level }) => level === "fail") ||
    /\b(?:start|end|range|step)\(\)/.test(command.query);
  if (isSkipped) return undefined;
  const timeMs = command.startMs;
  const request = {
    query: command.query,
    startMs: timeMs - 60_000,
    endMs: timeMs + 60_000,
    stepMs: 60_000,
    select: plainSettings,
  };
  const answer = await engine.range(request, source, new AbortController().signal);
  if (!answer.ok) return `as a range query: ${answer.failure.kind}: ${answer.failure.message}`;
  const { value } = answer.value;
  if (value.kind !== "matrix") return `as a range query: a ${value.kind}`;
  const labels: Labels[] = [];
  const values: number[] = [];
  for (const series of value.series) {
    const at = series.timestampsMs.indexOf(timeMs);
    if (at === -1) continue;
    labels.push(series.labels);
    values.push(series.values[at]);
  }
  const middle: AnswerValue =
    result.kind === "scalar"
      ? { kind: "scalar", timestampMs: timeMs, value: values[0] ?? NaN }
      : { kind: "vector", timestampMs: timeMs, labels, values: Float64Array.from(values), histograms: [] };
  const fault = judgeValue(command, middle);
  return fault === undefined ? undefined : `as a range query: ${fault}`;
}

/** Functions that tell the evaluation time, which pinning cannot keep. */
const tellsTime =
  /\b(?:days_in_month|day_of_month|day_of_week|day_of_year|hour|minute|month|year|time|timestamp|predict_linear|start|end|range|step)\s*\(/i;

/**
 * The same instant eval at other times, with `@` and its own time at every selector and subquery that has none. The text
 * is printed from the tree, so this also asks whether a query survives being printed.
 */
async function runEvalPinned(command: EvalCommand, engine: Engine, source: SeriesSource): Promise<string | undefined> {
  if (command.stepMs !== 0 || tellsTime.test(command.query)) return undefined;
  const parsed = parseExpression(command.query, { ...defaultParseOptions, experimentalFunctions: true });
  if (!parsed.ok) return undefined;
  const t = command.startMs;
  const query = formatExpression(pinExpression(parsed.value, t));
  for (const timeMs of t === 0 ? [-1000, 0, 1000] : [-10 * t, 0, Math.trunc(t / 5), t, 10 * t]) {
    const pinned = { ...command, query, startMs: timeMs, endMs: timeMs };
    const fault = (await runEval(pinned, engine, source)) ?? (await runEvalAsRange(pinned, engine, source));
    if (fault !== undefined) return `pinned, at ${timeMs} ms, as ${query}: ${fault}`;
  }
  return undefined;
}

function pinExpression(expression: Expression, timestampMs: number): Expression {
  const pin = (input: Expression) => pinExpression(input, timestampMs);
  const at = { kind: "time", timestampMs } as const;
  switch (expression.kind) {
    case "number":
    case "string":
      return expression;
    case "vector-selector":
      return { ...expression, at: expression.at ?? at };
    case "matrix-selector":
      return { ...expression, selector: { ...expression.selector, at: expression.selector.at ?? at } };
    case "subquery":
      // A fixed subquery fixes all that is inside.
      return { ...expression, at: expression.at ?? at };
    case "paren":
    case "unary":
      return { ...expression, input: pin(expression.input) };
    case "binary":
      return { ...expression, left: pin(expression.left), right: pin(expression.right) };
    case "aggregation":
      return {
        ...expression,
        parameter: expression.parameter && pin(expression.parameter),
        input: pin(expression.input),
      };
    case "call":
      return { ...expression, arguments: expression.arguments.map(pin) };
    default:
      return unreachable(expression);
  }
}

const plainSettings: SourceSettings = { withoutLabels: [], maxResolutionMs: 0, onFailure: "abort" };

function judgeFailure({ annotations }: EvalCommand, failure: QueryFailure): string | undefined {
  const told = `${failure.kind}: ${failure.message}`;
  const expected = annotations.filter(({ level }) => level === "fail");
  if (expected.length === 0 || failure.kind === "not-evaluated") return told;
  return expected.every(({ matches }) => matches(failure.message)) ? undefined : `another failure, ${told}`;
}

function judgeAnswer(command: EvalCommand, answer: QueryAnswer): string | undefined {
  if (command.annotations.some(({ level }) => level === "fail")) return "an answer instead of a failure";
  return (
    judgeAnnotations(command.annotations, "warn", answer.warnings) ??
    judgeAnnotations(command.annotations, "info", answer.infos) ??
    judgeValue(command, answer.value)
  );
}

function judgeAnnotations(
  expectations: readonly AnnotationExpectation[],
  level: "warn" | "info",
  found: readonly string[],
): string | undefined {
  // The scripts give the texts as they are before positions and details of the query are added.
  const texts = found.map((text) => text.replace(/ \(\d+:\d+\)$/, "").replace(/, from buckets .*$/, ""));
  if (expectations.some((one) => one.level === `no_${level}`) && texts.length > 0) return `unexpected ${texts.join()}`;
  const wanted = expectations.filter((one) => one.level === level);
  if (wanted.length === 0) return undefined;
  if (!wanted.every(({ matches }) => texts.some(matches))) return `no such ${level} among [${texts.join("; ")}]`;
  const stray = texts.find((text) => !wanted.some(({ matches }) => matches(text)));
  return stray === undefined ? undefined : `unexpected ${level} ${stray}`;
}

function judgeValue(command: EvalCommand, value: AnswerValue): string | undefined {
  const { result } = command;
  switch (result.kind) {
    case "scalar":
      if (value.kind !== "scalar") return `a ${value.kind} instead of a scalar`;
      return areClose(value.value, result.value) ? undefined : `${value.value} instead of ${result.value}`;
    case "string":
      if (value.kind !== "string") return `a ${value.kind} instead of a string`;
      return value.value === result.value ? undefined : `${value.value} instead of ${result.value}`;
    case "range-vector":
      if (value.kind !== "matrix") return `a ${value.kind} instead of a range vector`;
      return judgeMatrix(value, result.series, result.startMs, result.stepMs);
    case "series":
      if (value.kind === "vector") return judgeVector(value, result.series, command.ordered);
      if (value.kind === "matrix" && command.stepMs > 0) {
        return judgeMatrix(value, result.series, command.startMs, command.stepMs);
      }
      return value.kind === "matrix" && value.series.length === 0 && result.series.length === 0
        ? undefined
        : `a ${value.kind} instead of series`;
    default:
      return unreachable(result);
  }
}

function judgeVector(
  value: Extract<AnswerValue, { kind: "vector" }>,
  expected: readonly ScriptSeries[],
  ordered: boolean,
): string | undefined {
  if (value.labels.length !== expected.length) {
    return `${value.labels.length} series instead of ${expected.length}: ${value.labels.map(formatLabels).join(" ")}`;
  }
  const positions = new Map(value.labels.map((labels, i) => [labelsKey(labels), i]));
  for (const [i, one] of expected.entries()) {
    const at = positions.get(labelsKey(one.labels));
    if (at === undefined) return `no ${formatLabels(one.labels)} in ${value.labels.map(formatLabels).join(" ")}`;
    if (ordered && at !== i) return `${formatLabels(one.labels)} at place ${at} instead of ${i}`;
    const [wanted] = one.values;
    if (typeof wanted !== "number") return "a native histogram is expected";
    if (!areClose(value.values[at], wanted)) {
      return `${formatLabels(one.labels)} ${value.values[at]} instead of ${wanted}`;
    }
  }
  return undefined;
}

function judgeMatrix(
  value: Extract<AnswerValue, { kind: "matrix" }>,
  expected: readonly ScriptSeries[],
  startMs: number,
  stepMs: number,
): string | undefined {
  const wanted = expected.filter(({ values }) => values.some((one) => one !== undefined));
  if (value.series.length !== wanted.length) {
    const found = value.series.map(({ labels }) => formatLabels(labels)).join(" ");
    return `${value.series.length} series instead of ${wanted.length}: ${found}`;
  }
  for (let i = 1; i < value.series.length; i++) {
    if (compareLabels(value.series[i - 1].labels, value.series[i].labels) >= 0) return "not sorted by labels";
  }
  const byLabels = new Map(value.series.map((series) => [labelsKey(series.labels), series]));
  for (const { labels, values } of wanted) {
    const series = byLabels.get(labelsKey(labels));
    if (series === undefined) return `no ${formatLabels(labels)}`;
    const samples: (readonly [number, number])[] = [];
    for (const [i, one] of values.entries()) {
      if (one === undefined) continue;
      if (typeof one !== "number") return "a native histogram is expected";
      samples.push([startMs + i * stepMs, one]);
    }
    if (samples.length !== series.values.length) {
      return `${formatLabels(labels)} has ${series.values.length} samples instead of ${samples.length}`;
    }
    for (const [i, [timestampMs, wantedValue]] of samples.entries()) {
      if (series.timestampsMs[i] !== timestampMs || !areClose(series.values[i], wantedValue)) {
        const found = `${series.values[i]} @${series.timestampsMs[i]}`;
        return `${formatLabels(labels)} ${found} instead of ${wantedValue} @${timestampMs}`;
      }
    }
  }
  return undefined;
}

const tolerance = 1e-6;
const smallestNormal = 2.2250738585072014e-308;

/** The language's idea of equal floats. */
function areClose(a: number, b: number): boolean {
  if (a === b || (a !== a && b !== b)) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < smallestNormal) return difference < tolerance * smallestNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < tolerance;
}
