/** Runs test scripts against an engine: loads, asks, and asks again as the language demands. */
import { unreachable, type FloatHistogram, type Labels, type SeriesSource } from "@pleiad/model";
import { experimentalParseOptions, formatExpression, parseExpression, type Expression } from "@pleiad/promql-syntax";
import type { AnswerSeries, AnswerValue, SourceSettings } from "./answer.ts";
import type { Engine } from "./engine.ts";
import { judgeAnswer, judgeFailure, judgeOrder, judgeValue } from "./test-script-judgement.ts";
import { createScriptStorage } from "./test-script-storage.ts";
import type { EvalCommand, ScriptCommand } from "./test-script.ts";

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
  const disorder = judgeOrder(value.series);
  if (disorder !== undefined) return `as a range query: ${disorder}`;
  const middle = stepOf(value.series, timeMs);
  const fault = judgeValue(
    command,
    result.kind === "scalar" ? { kind: "scalar", timestampMs: timeMs, value: middle.values[0] ?? NaN } : middle,
  );
  return fault === undefined ? undefined : `as a range query: ${fault}`;
}

/** What the series of a range query have at one step. */
function stepOf(series: readonly AnswerSeries[], timestampMs: number): Extract<AnswerValue, { kind: "vector" }> {
  const labels: Labels[] = [];
  const values: number[] = [];
  const histograms: (FloatHistogram | undefined)[] = [];
  for (const one of series) {
    const at = one.timestampsMs.indexOf(timestampMs);
    const histogramAt = one.histogramTimestampsMs.indexOf(timestampMs);
    if (at === -1 && histogramAt === -1) continue;
    labels.push(one.labels);
    values.push(at === -1 ? 0 : one.values[at]);
    histograms.push(histogramAt === -1 ? undefined : one.histograms[histogramAt]);
  }
  return { kind: "vector", timestampMs, labels, values: Float64Array.from(values), histograms };
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
  const parsed = parseExpression(command.query, experimentalParseOptions);
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

export const plainSettings: SourceSettings = { withoutLabels: [], maxResolutionMs: 0, onFailure: "abort" };
