/**
 * What a range query asks, as far as the frontend must know: enough to cut it by time and to keep its answer. Whatever is
 * odd about a request makes it one that passes as it came, so that the querier answers it in its own words. Pure.
 */
import { formatTimestamp, parseDurationText, parseTimestamp, type RequestForm } from "@pleiad/http-api";
import { formatExpression } from "@pleiad/promql-syntax";
import { reachOf } from "./query-reach.ts";
import { alignToStep, countSteps, gridOf, type StepGrid } from "./step-grid.ts";

export interface RangeRequest {
  readonly grid: StepGrid;
  readonly query: string; // as it was spelled
  /** All that the answer depends on but the steps themselves, in one spelling. */
  readonly identity: string;
  /** Of the request, but for start, end and step. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
  readonly aheadMs: number; // as in QueryReach
  readonly fixedMs: number;
  /** Whether an answer may come from the cache, and go there. */
  readonly isCacheable: boolean;
}

/** Why a request passes as it came. */
export type PassReason = "parameters" | "query" | "points";

// Prometheus's: the querier refuses more, and says so in its own words.
const pointsMax = 11_000;

// Their answers are of the whole query, or name its parts: no two of them make one.
const wholeOnly = ["analyze", "limit", "shard_info", "storeMatch[]"];
const readHere: ReadonlySet<string> = new Set(["start", "end", "step"]);
// Nothing of the answer depends on it.
const notOfTheAnswer: ReadonlySet<string> = new Set(["query", "timeout"]);

export function readRangeRequest(
  form: RequestForm,
  { alignWithStep }: { readonly alignWithStep: boolean },
): RangeRequest | PassReason {
  if (wholeOnly.some((name) => form.all(name).length > 0)) return "parameters";
  const start = parseTimestamp(form.first("start"));
  const end = parseTimestamp(form.first("end"));
  const step = parseDurationText(form.first("step"));
  // Without a step, the querier makes one of the range.
  if (!start.ok || !end.ok || !step.ok || form.first("step") === "") return "parameters";
  const stepMs = Math.floor(step.value);
  if (stepMs <= 0 || end.value < start.value) return "parameters";
  const [startMs, endMs] = alignWithStep
    ? alignToStep(start.value, end.value, stepMs)
    : ([start.value, end.value] as const);
  const grid = gridOf(startMs, endMs, stepMs);
  if (countSteps(grid) > pointsMax) return "points";
  const query = form.first("query");
  const reach = reachOf(query, stepMs);
  if (reach === undefined) return "query";
  const parameters = form
    .names()
    .filter((name) => !readHere.has(name))
    .flatMap((name) => form.all(name).map((value) => [name, value] as const));
  const settings = parameters.filter(([name]) => !notOfTheAnswer.has(name)).map((pair) => JSON.stringify(pair));
  const phaseMs = ((startMs % stepMs) + stepMs) % stepMs;
  return {
    grid,
    query,
    identity: JSON.stringify([formatExpression(reach.expression), stepMs, phaseMs, ...settings.sort()]),
    parameters,
    aheadMs: reach.aheadMs,
    fixedMs: reach.fixedMs,
    // Statistics are of work that an answer from the cache did not take.
    isCacheable: form.all("stats").length === 0,
  };
}

/** The form that asks for these steps. */
export function rangeForm(parameters: RangeRequest["parameters"], { startMs, endMs, stepMs }: StepGrid): string {
  const form = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value]));
  form.set("start", formatTimestamp(startMs));
  form.set("end", formatTimestamp(endMs));
  form.set("step", formatTimestamp(stepMs));
  return form.toString();
}
