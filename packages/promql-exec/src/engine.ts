/** The query engine: text in, answer out. */
import { fail, isEvaluatingSource, ok, unreachable, type Result, type SeriesSource } from "@pleiad/model";
import { withDeadline, type Ports } from "@pleiad/ports";
import {
  formatPlan,
  gridOf,
  joinAggregates,
  planType,
  stepCountOf,
  type PlanNode,
  type StepGrid,
} from "@pleiad/promql-plan";
import { typeOf, type Expression } from "@pleiad/promql-syntax";
import { lookbackForResolution } from "./aggregate-reader.ts";
import type { AnswerValue, InstantRequest, QueryAnswer, QueryFailure, QueryLimits, RangeRequest } from "./answer.ts";
import { buildScalar, buildVector, buildWindows } from "./build-operators.ts";
import { collectMatrix, collectVector, collectWindows, matrixOfScalar } from "./collect-answer.ts";
import { createLeafPool, type LeafPool } from "./leaf-pool.ts";
import { featureNamesOf, noFeatures, type Features } from "./features.ts";
import { createSampleBudget, defaultLimits } from "./limits.ts";
import { createNameRemoval } from "./delayed-names.ts";
import { createProfiler, type OperatorProfile } from "./operator-profile.ts";
import type { Operator } from "./operator.ts";
import { createPace, type Pace } from "./pace.ts";
import { createQueryPlanner, type QueryPlanner } from "./planned-queries.ts";
import { createQueryAnnotations } from "./query-annotations.ts";
import { createQueryReader, type QueryReader } from "./parsed-queries.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError } from "./query-error.ts";
import { createQueryableSamples } from "./queryable-samples.ts";
import { PartsDoNotAddUp } from "./remote-sums.ts";
import { missingFrom, distributeQuery, type DistributedQuery } from "./remote-query.ts";
import { shareSelects } from "./shared-selects.ts";
import { createQueryQueue } from "./query-queue.ts";
import { stepTimes } from "./step-grid.ts";

export interface EngineOptions {
  readonly limits: QueryLimits;
  readonly lookbackMs: number;
  /** The step of a subquery that names none. */
  readonly evaluationIntervalMs: number;
  /** How many run at once. Those that wait only for this thread are the slower for each that is begun beside them. */
  readonly concurrencyMax: number;
  readonly waitingMax: number; // for one of these places; others fail at once
  /** A selector of fewer results is read series by series: a task, which threads share, costs more to begin than they do. */
  readonly leafResultsMin: number;
  readonly features: Features;
}

export const defaultEngineOptions: EngineOptions = {
  limits: defaultLimits,
  lookbackMs: 300_000,
  evaluationIntervalMs: 60_000,
  concurrencyMax: 20,
  waitingMax: 1_000,
  leafResultsMin: 64,
  features: noFeatures,
};

/**
 * What a query will do. `operators` has a line an operator, indented under its reader: the root and what it reads last,
 * operators of scalar arguments before it; none for a plain number.
 */
export interface Explanation {
  readonly plan: string;
  readonly operators: readonly string[];
}

export interface Engine {
  instant(
    request: InstantRequest,
    source: SeriesSource,
    signal: AbortSignal,
  ): Promise<Result<QueryAnswer, QueryFailure>>;
  range(request: RangeRequest, source: SeriesSource, signal: AbortSignal): Promise<Result<QueryAnswer, QueryFailure>>;
  /** Reads no series. */
  explain(request: InstantRequest | RangeRequest, source: SeriesSource): Result<Explanation, QueryFailure>;
}

/** An engine as who made it has it. */
export interface OwnedEngine extends Engine {
  /** Ends the threads of the engine; to be called when it has no queries any more. */
  close(): Promise<void>;
}

export function createEngine(
  options: EngineOptions,
  ports: Pick<Ports, "clock" | "observations" | "threads">,
): OwnedEngine {
  const { clock, observations } = ports;
  let openedPool: LeafPool | undefined;
  const leafPool = () => (openedPool ??= createLeafPool(ports.threads));
  const { experimentalFunctions, extendedRangeSelectors, fillModifiers } = options.features;
  const read = createQueryReader({ experimentalFunctions, extendedRangeSelectors, fillModifiers });
  const planner = createQueryPlanner();
  const queue = createQueryQueue(options.concurrencyMax, options.waitingMax);
  const durations = observations.histogram(
    "pleiad_query_duration_seconds",
    "Time from the arrival of a query to its answer, by outcome.",
    [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    ["outcome"],
  );

  const answer = async (query: Query, source: SeriesSource, caller: AbortSignal) => {
    const arrivalMs = clock.monotonicMs();
    const timeoutMs = Math.min(query.timeoutMs ?? Infinity, options.limits.timeoutMs);
    const queued = await withDeadline(
      clock,
      timeoutMs,
      caller,
      async (deadline) =>
        await queue.run(async () => await evaluate(query, source, deadline, caller, arrivalMs), deadline),
    );
    const result = queued.ok ? queued.value : queued;
    durations.observe((clock.monotonicMs() - arrivalMs) / 1000, result.ok ? "success" : result.failure.kind);
    return result;
  };

  const evaluate = async (
    query: Query,
    source: SeriesSource,
    deadline: AbortSignal,
    caller: AbortSignal,
    arrivalMs: number,
  ): Promise<Result<QueryAnswer, QueryFailure>> => {
    const startMs = clock.monotonicMs();
    const expression = parseQuery(query, read);
    if (!expression.ok) return expression;
    const parsedMs = clock.monotonicMs();
    const planned = planOf(expression.value, query, source, options, planner);
    if (!planned.ok) return planned;
    const plannedMs = clock.monotonicMs();
    const { plan, undistributed, remote } = planned.value;
    const began = { startMs, parsedMs, plannedMs, arrivalMs };
    if (remote === undefined) return await evaluatePlanned(plan, undefined, query, source, deadline, caller, began);
    try {
      return await evaluatePlanned(plan, remote, query, source, deadline, caller, began);
    } catch (error) {
      if (!(error instanceof PartsDoNotAddUp)) throw error;
      return await evaluatePlanned(undistributed(), undefined, query, source, deadline, caller, began);
    }
  };

  const evaluatePlanned = async (
    plan: PlanNode,
    remote: QueryContext["remote"],
    query: Query,
    source: SeriesSource,
    deadline: AbortSignal,
    caller: AbortSignal,
    {
      startMs,
      parsedMs,
      plannedMs,
      arrivalMs,
    }: Readonly<Record<"startMs" | "parsedMs" | "plannedMs" | "arrivalMs", number>>,
  ): Promise<Result<QueryAnswer, QueryFailure>> => {
    const grid = gridOf(query);
    const queryable = query.countSamples === undefined ? undefined : createQueryableSamples(stepCountOf(grid));
    const profiler = query.analyze ? createProfiler(clock) : undefined;
    const observers = { queryable, watch: profiler?.watch ?? unwatched, remote };
    const context = contextOf(query, source, options, createPace(clock, deadline, caller), leafPool, observers);
    const reading = { ...context, source: shareSelects(source, plan, query.select, context.budget) };
    // Where one part fails, others may still be waiting for their stores.
    const ending = new AbortController();
    const { signal } = ending;
    // `AbortSignal.any` would keep the query, and all that listens to it, until the next collection of old objects.
    const follow = () => ending.abort(deadline.reason);
    if (deadline.aborted) follow();
    else deadline.addEventListener("abort", follow, { once: true });
    let value: Result<AnswerValue, QueryFailure> | undefined;
    try {
      value = await catchFailure(async () => await evaluatePlan(plan, query, reading, signal));
    } finally {
      deadline.removeEventListener("abort", follow);
      if (value?.ok !== true) ending.abort();
    }
    if (!value.ok) return value;
    return ok({
      value: value.value,
      warnings: context.annotations.warnings,
      infos: context.annotations.infos,
      sourceWarnings: [...new Set([...context.sourceWarnings, ...missingFrom(remote)])],
      statistics: {
        queueMs: startMs - arrivalMs,
        parseMs: parsedMs - startMs,
        planMs: plannedMs - parsedMs,
        evaluateMs: clock.monotonicMs() - plannedMs,
        ...context.tally,
        samplesPeak: context.budget.peak,
        samplesQueryable: queryable?.total(),
        samplesQueryablePerStep:
          query.countSamples === "per-step" && queryable !== undefined
            ? { timestampsMs: stepTimes(grid), counts: queryable.perStep }
            : undefined,
      },
      analysis: profiler && { plan: formatPlan(plan), operators: profiler.profiles() },
    });
  };

  return {
    instant: async (request, source, signal) => await answer(instantQuery(request), source, signal),
    range: async (request, source, signal) => {
      const refusal = refuseRange(request, options.limits);
      return refusal === undefined ? await answer(rangeQuery(request), source, signal) : fail(refusal);
    },
    close: async () => await openedPool?.close(),
    explain(request, source) {
      const query = "stepMs" in request ? rangeQuery(request) : instantQuery(request);
      const expression = parseQuery(query, read);
      if (!expression.ok) return expression;
      const planned = planOf(expression.value, query, source, options, planner);
      if (!planned.ok) return planned;
      const { plan, remote } = planned.value;
      const never = new AbortController().signal;
      const profiler = createProfiler(clock);
      const context = contextOf(query, source, options, createPace(clock, never, never), leafPool, {
        queryable: undefined,
        watch: profiler.watch,
        remote,
      });
      try {
        buildOperators(plan, gridOf(query), context);
        return ok({ plan: formatPlan(plan), operators: describeOperators(profiler.profiles(), 0) });
      } catch (error) {
        if (error instanceof QueryError) return fail(error.failure);
        throw error;
      }
    },
  };
}

/** What is looked at from outside while a query runs. */
type Observers = Pick<QueryContext, "queryable" | "watch" | "remote">;

function unwatched(operator: Operator): Operator {
  return operator;
}

/** A request of either kind. */
interface Query {
  readonly kind: "instant" | "range";
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number; // 0 for an instant query
  readonly lookbackMs: number | undefined;
  readonly evaluationIntervalMs: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly countSamples: InstantRequest["countSamples"];
  readonly analyze: boolean;
  readonly select: InstantRequest["select"];
}

function instantQuery(request: InstantRequest): Query {
  const { timeMs } = request;
  return { kind: "instant", startMs: timeMs, endMs: timeMs, stepMs: 0, ...commonOf(request) };
}

function rangeQuery(request: RangeRequest): Query {
  const { startMs, endMs, stepMs } = request;
  return { kind: "range", startMs, endMs, stepMs, ...commonOf(request) };
}

function commonOf(request: Omit<InstantRequest, "timeMs">): Omit<Query, "kind" | "startMs" | "endMs" | "stepMs"> {
  const { query, lookbackMs, evaluationIntervalMs, timeoutMs, countSamples, analyze = false, select } = request;
  return { text: query, lookbackMs, evaluationIntervalMs, timeoutMs, countSamples, analyze, select };
}

function refuseRange({ startMs, endMs, stepMs }: RangeRequest, { stepsMax }: QueryLimits): QueryFailure | undefined {
  const refuse = (message: string): QueryFailure => ({ kind: "bad-request", message });
  if (endMs < startMs) return refuse("end timestamp must not be before start time");
  if (!(stepMs > 0)) {
    return refuse("zero or negative query resolution step widths are not accepted. Try a positive integer");
  }
  if (Math.floor((endMs - startMs) / stepMs) > stepsMax) {
    const points = stepsMax.toString().replace(/\B(?=(?:\d{3})+$)/g, ",");
    return refuse(
      `exceeded maximum resolution of ${points} points per timeseries. Try decreasing the query resolution (?step=XX)`,
    );
  }
  return undefined;
}

function parseQuery({ text }: Query, read: QueryReader): Result<Expression, QueryFailure> {
  const parsed = read(text);
  return parsed.ok ? parsed : fail({ kind: "parse", message: parsed.failure.message });
}

interface QueryPlan extends DistributedQuery {
  /** For where the answers of parts do not add up. */
  readonly undistributed: () => PlanNode;
}

/** What parts of the source evaluate by themselves is told in the plan. */
function planOf(
  expression: Expression,
  query: Query,
  source: SeriesSource,
  options: EngineOptions,
  planner: QueryPlanner,
): Result<QueryPlan, QueryFailure> {
  const type = typeOf(expression);
  if (query.kind === "range" && (type === "matrix" || type === "string")) {
    const found = type === "matrix" ? "range vector" : "string";
    const message = `invalid expression type "${found}" for range query, must be Scalar or instant Vector`;
    return fail({ kind: "bad-request", message });
  }
  const window = {
    startMs: query.startMs,
    endMs: query.endMs,
    stepMs: query.stepMs,
    // 0 stands for the default, as in Prometheus.
    lookbackMs: query.lookbackMs || lookbackForResolution(options.lookbackMs, query.select.maxResolutionMs),
    evaluationIntervalMs: query.evaluationIntervalMs || options.evaluationIntervalMs,
  };
  const { text, select } = query;
  const joining = { text, window, hintsMatter: select.maxResolutionMs > 0 };
  const planned = planner(expression, joining);
  if (!planned.ok) return fail({ kind: "bad-request", message: planned.failure.message });
  const { plan, joined } = planned.value;
  // Who counts what steps look at counts each look, and those of parts are not told by step.
  if (query.countSamples !== undefined) return ok({ plan, remote: undefined, undistributed: joined });
  // Names that are still to be dropped are not told by parts.
  if (options.features.delayedNameRemoval || !isEvaluatingSource(source)) {
    return ok({ plan: joined(), remote: undefined, undistributed: joined });
  }
  const { samplesMax, timeoutMs } = options.limits;
  const bounds = { samplesMax, timeoutMs: Math.min(query.timeoutMs ?? Infinity, timeoutMs) };
  const features = featureNamesOf(options.features);
  const distributed = distributeQuery(plan, source, { text, window, select, features, ...bounds });
  return ok({ ...distributed, plan: joinAggregates(distributed.plan, joining), undistributed: joined });
}

function contextOf(
  query: Query,
  source: SeriesSource,
  options: EngineOptions,
  pace: Pace,
  leafPool: QueryContext["leafPool"],
  observers: Observers,
): QueryContext {
  return {
    ...observers,
    source,
    settings: query.select,
    budget: createSampleBudget(options.limits),
    pace,
    delayedNameRemoval: options.features.delayedNameRemoval,
    startTimestamps: options.features.startTimestamps,
    annotations: createQueryAnnotations(query.text),
    leafPool,
    leafResultsMin: options.leafResultsMin,
    sourceWarnings: new Set(),
    joints: new Map(),
    tally: { seriesSelected: 0, samplesRead: 0 },
  };
}

async function catchFailure<T>(work: () => Promise<T>): Promise<Result<T, QueryFailure>> {
  try {
    return ok(await work());
  } catch (error) {
    if (error instanceof QueryError) return fail(error.failure);
    throw error;
  }
}

async function evaluatePlan(
  plan: PlanNode,
  query: Query,
  context: QueryContext,
  signal: AbortSignal,
): Promise<AnswerValue> {
  const grid = gridOf(query);
  const timestampMs = query.startMs;
  const type = planType(plan);
  switch (type) {
    case "string":
      return { kind: "string", timestampMs, value: plan.kind === "string" ? plan.value : "" };
    case "scalar": {
      const column = await buildScalar(plan, grid, context)(signal);
      return query.kind === "instant"
        ? { kind: "scalar", timestampMs, value: column[0] }
        : matrixOfScalar(column, grid);
    }
    case "matrix":
      return await collectWindows(buildWindows(plan, grid, context), grid, context, signal);
    case "vector": {
      const operator = buildRoot(plan, grid, context);
      const collect = query.kind === "instant" ? collectVector : collectMatrix;
      return await collect(operator, grid, context, signal);
    }
    default:
      return unreachable(type);
  }
}

/** The operator whose samples are the answer. */
function buildRoot(plan: PlanNode, grid: StepGrid, context: QueryContext): Operator {
  const operator = buildVector(plan, grid, context);
  return context.delayedNameRemoval ? context.watch(createNameRemoval(operator, context)) : operator;
}

/** Builds all operators of a plan, for whoever watches. */
function buildOperators(plan: PlanNode, grid: StepGrid, context: QueryContext): void {
  const type = planType(plan);
  if (type === "vector") buildRoot(plan, grid, context);
  else if (type === "matrix") buildWindows(plan, grid, context);
  else if (type === "scalar") buildScalar(plan, grid, context);
}

function describeOperators(operators: readonly OperatorProfile[], depth: number): readonly string[] {
  return operators.flatMap(({ description, inputs }) => [
    "  ".repeat(depth) + description,
    ...describeOperators(inputs, depth + 1),
  ]);
}
