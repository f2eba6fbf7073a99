/** `query`, `query_range` and their explanations: parameters to the engine's request, its answer to JSON. */
import { fail, ok, type Result, type SeriesSource } from "@pleiad/model";
import { childAbort, withDeadline } from "@pleiad/ports";
import type { Engine, InstantRequest, QueryAnswer, QueryFailure, RangeRequest } from "@pleiad/promql-exec";
import { createAlikeQueries, shareEvaluation, type SharedEvaluation } from "./alike-queries.ts";
import { answerText, truncateAnswer } from "./answer-text.ts";
import {
  badData,
  invalidParameter,
  limitWarning,
  wholeAnswer,
  type ApiAnswer,
  type ApiFailure,
  type ErrorType,
} from "./envelope.ts";
import { parseDurationText, parseLimit, parseTimestamp } from "./parameter-text.ts";
import { createQueryGate, type QueryGateOptions } from "./query-gate.ts";
import type { RequestForm } from "./request-form.ts";
import { endBeforeStart, readSourceSettings, readTime, type SourceDefaults } from "./request-settings.ts";
import type { Route, RouteRequest, RouterPorts } from "./router.ts";
import { selectSource, type SelectableSource } from "./store-selection.ts";

export interface QueryRoutesOptions extends SelectableSource {
  readonly engine: Engine;
  readonly defaults: SourceDefaults;
  readonly gate: QueryGateOptions;
  readonly timeoutMs: number; // of waiting and evaluating; a request may want less, and the engine has its own
}

const pointsMax = 11_000;

// Thanos's, for requests without a step.
const defaultPointCount = 250;
const defaultStepMs = 1_000;

const both = ["GET", "POST"] as const;

export function queryRoutes(options: QueryRoutesOptions, ports: RouterPorts): readonly Route[] {
  const { engine } = options;
  const gated = createGate(options, ports);
  const timespans = ports.observations.histogram(
    "thanos_query_range_requested_timespan_duration_seconds",
    "Span between start and end of range queries.",
    [3_600, 21_600, 86_400, 604_800, 2_592_000, 31_536_000],
  );
  /** `run` gets the request's time and a signal as the gate gives them. */
  const evaluate = async <R extends InstantRequest | RangeRequest>(
    { form, signal }: RouteRequest,
    request: R,
    source: SeriesSource,
    run: (request: R, source: SeriesSource, signal: AbortSignal) => Promise<Outcome>,
  ): Promise<Result<ApiAnswer, ApiFailure>> => {
    // What other stores answer is another answer.
    const key = () => (source === options.source ? keyOf(request) : undefined);
    const work = async (timeoutMs: number, own: AbortSignal) => await run({ ...request, timeoutMs }, source, own);
    const answer = await gated({ ...request, key }, signal, work);
    return answer.ok ? encodeAnswer(form, answer.value) : answer;
  };
  const instant = async (route: RouteRequest) => {
    const request = readInstantRequest(route.form, options.defaults, ports.clock.wallMs());
    if (!request.ok) return request;
    const source = selectSource(route.form, options);
    if (!source.ok) return source;
    return await evaluate(route, request.value, source.value, async (...asked) => await engine.instant(...asked));
  };
  const range = async (route: RouteRequest) => {
    const request = readRangeRequest(route.form, options.defaults);
    if (!request.ok) return request;
    const source = selectSource(route.form, options);
    if (!source.ok) return source;
    timespans.observe((request.value.endMs - request.value.startMs) / 1000);
    return await evaluate(route, request.value, source.value, async (...asked) => await engine.range(...asked));
  };
  const explain = async ({ form }: RouteRequest) => {
    const request = readInstantRequest(form, options.defaults, ports.clock.wallMs());
    if (!request.ok) return request;
    const source = selectSource(form, options);
    return source.ok ? encodeExplanation(engine.explain(request.value, source.value)) : source;
  };
  const explainRange = async ({ form }: RouteRequest) => {
    const request = readRangeRequest(form, options.defaults);
    if (!request.ok) return request;
    const source = selectSource(form, options);
    return source.ok ? encodeExplanation(engine.explain(request.value, source.value)) : source;
  };
  const route = (name: string, answer: (request: RouteRequest) => Promise<Result<ApiAnswer, ApiFailure>>): Route => ({
    path: `/api/v1/${name}`,
    methods: both,
    handler: name,
    answer: { kind: "api", answer },
  });
  return [
    route("query", instant),
    route("query_range", range),
    route("query_explain", explain),
    route("query_range_explain", explainRange),
  ];
}

/** The parameters in the order in which Prometheus looks at them: the first bad one is the one reported. */
function readInstantRequest(
  form: RequestForm,
  defaults: SourceDefaults,
  nowMs: number,
): Result<InstantRequest, ApiFailure> {
  const limit = readLimit(form);
  if (!limit.ok) return limit;
  const time = readTime(form, "time", nowMs);
  if (!time.ok) return time;
  const common = readCommon(form, defaults, 0);
  return common.ok ? ok({ ...common.value, timeMs: time.value }) : common;
}

function readRangeRequest(form: RequestForm, defaults: SourceDefaults): Result<RangeRequest, ApiFailure> {
  const limit = readLimit(form);
  if (!limit.ok) return limit;
  const start = parseTimestamp(form.first("start"));
  if (!start.ok) return fail(invalidParameter("start", start.failure));
  const end = parseTimestamp(form.first("end"));
  if (!end.ok) return fail(invalidParameter("end", end.failure));
  const rangeMs = end.value - start.value;
  if (rangeMs < 0) return fail(endBeforeStart);
  const step = readStep(form.first("step"), rangeMs);
  if (!step.ok) return step;
  const stepMs = step.value;
  if (Math.floor(rangeMs / stepMs) > pointsMax) {
    return fail(
      badData(
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
      ),
    );
  }
  const common = readCommon(form, defaults, Math.floor(stepMs / 5));
  return common.ok ? ok({ ...common.value, startMs: start.value, endMs: end.value, stepMs }) : common;
}

/** Whole milliseconds: what is below them is cut off, as everywhere in Prometheus, and nothing may remain of the step. */
function readStep(text: string, rangeMs: number): Result<number, ApiFailure> {
  if (text === "") {
    const rangeSeconds = Math.floor(rangeMs / 1000);
    return ok(Math.max(Math.floor(rangeSeconds / defaultPointCount) * 1000, defaultStepMs));
  }
  const step = parseDurationText(text);
  if (!step.ok) return fail(invalidParameter("step", step.failure));
  const stepMs = Math.floor(step.value);
  if (stepMs > 0) return ok(stepMs);
  const refused =
    step.value > 0 ? "query resolution step widths below 1ms" : "zero or negative query resolution step widths";
  return fail(invalidParameter("step", `${refused} are not accepted. Try a positive integer`));
}

function readCommon(
  form: RequestForm,
  defaults: SourceDefaults,
  autoResolutionMs: number,
): Result<Omit<InstantRequest, "timeMs">, ApiFailure> {
  const timeout = readPositive(form.first("timeout"));
  if (!timeout.ok) return fail(invalidParameter("timeout", timeout.failure));
  const lookback = readPositive(form.first("lookback_delta"));
  if (!lookback.ok) return fail(badData(`error parsing lookback delta duration: ${lookback.failure}`));
  const engine = form.first("engine");
  if (!["", "prometheus", "thanos"].includes(engine)) {
    return fail(invalidParameter("engine", `not supported value ${JSON.stringify(engine)}`));
  }
  const select = readSourceSettings(form, defaults, autoResolutionMs);
  if (!select.ok) return select;
  const stats = form.first("stats");
  const analyze = readFlag(form.first("analyze"));
  if (!analyze.ok) return fail(invalidParameter("analyze", analyze.failure));
  return ok({
    query: form.first("query"),
    select: select.value,
    ...(stats === "" ? {} : { countSamples: stats === "all" ? "per-step" : "total" }),
    ...(analyze.value ? { analyze: true } : {}),
    ...(timeout.value === undefined ? {} : { timeoutMs: timeout.value }),
    ...(lookback.value === undefined ? {} : { lookbackMs: lookback.value }),
  });
}

function readFlag(text: string): Result<boolean, string> {
  if (text === "" || text === "false") return ok(false);
  return text === "true" ? ok(true) : fail(`${JSON.stringify(text)} is neither "true" nor "false"`);
}

function readPositive(text: string): Result<number | undefined, string> {
  if (text === "") return ok(undefined);
  const duration = parseDurationText(text);
  if (!duration.ok) return duration;
  return duration.value > 0 ? ok(Math.ceil(duration.value)) : fail(`${JSON.stringify(text)} is not above zero`);
}

function readLimit(form: RequestForm): Result<number, ApiFailure> {
  const limit = parseLimit(form.first("limit"));
  return limit.ok ? limit : fail(invalidParameter("limit", limit.failure));
}

function encodeAnswer(form: RequestForm, result: Result<QueryAnswer, QueryFailure>): Result<ApiAnswer, ApiFailure> {
  if (!result.ok) return fail(failureOfQuery(result.failure));
  const limit = readLimit(form);
  if (!limit.ok) return limit;
  const { sourceWarnings, infos, statistics, analysis } = result.value;
  const { value, truncated } = truncateAnswer(result.value.value, limit.value);
  // What is missing comes first: the list is cut at its end.
  const warnings = [...sourceWarnings, ...result.value.warnings];
  if (truncated) warnings.push(limitWarning);
  const stats = form.first("stats");
  if (!["", "true", "all"].includes(stats)) {
    warnings.push(
      `value ${JSON.stringify(stats)} for parameter "stats" is deprecated and will be rejected in the next major ` +
        `release, use "true" or "all"`,
    );
  }
  const data = answerText(value, { statistics: stats === "" ? undefined : statistics, analysis });
  return ok({ data, warnings, infos, partial: sourceWarnings.length > 0 });
}

const errorTypeOfQuery = {
  parse: "bad_data",
  "bad-request": "bad_data",
  "not-evaluated": "execution",
  execution: "execution",
  timeout: "timeout",
  canceled: "canceled",
  source: "execution", // as Thanos: the request said that a failed store is a failed query
} satisfies Record<QueryFailure["kind"], ErrorType>;

function failureOfQuery({ kind, message }: QueryFailure): ApiFailure {
  const errorType = errorTypeOfQuery[kind];
  return errorType === "bad_data" ? invalidParameter("query", message) : { errorType, message };
}

interface ExplanationNode {
  readonly name: string;
  readonly children: ExplanationNode[];
}

/** The operators as Thanos's tree of `name` and `children`; beside its root the plan as one line, and trees of scalars. */
function encodeExplanation(result: ReturnType<Engine["explain"]>): Result<ApiAnswer, ApiFailure> {
  if (!result.ok) return fail(failureOfQuery(result.failure));
  const { plan, operators } = result.value;
  const root: ExplanationNode = { name: plan, children: [] };
  // The last node of each depth: a line belongs to the one before it that is indented less.
  const path: ExplanationNode[] = [root];
  for (const line of operators) {
    const name = line.trimStart();
    const depth = (line.length - name.length) / 2 + 1;
    const node: ExplanationNode = { name, children: [] };
    path.length = Math.min(path.length, depth);
    path.at(-1)?.children.push(node);
    path.push(node);
  }
  const trees = root.children;
  return ok(wholeAnswer({ ...(trees.at(-1) ?? root), plan, scalars: trees.slice(0, -1) }));
}

type Outcome = Result<QueryAnswer, QueryFailure>;

/** What is the same for queries that may have one answer; undefined for those that ask how they were evaluated. */
function keyOf(request: InstantRequest | RangeRequest): string | undefined {
  return request.analyze === true || request.countSamples !== undefined ? undefined : JSON.stringify(request);
}

/** `run` gets what waiting has left of the request's time, and a signal in place of the caller's. */
type Gated = (
  /** The key is asked for where the query has to wait. */
  request: Pick<InstantRequest, "timeoutMs"> & { readonly key: () => string | undefined },
  signal: AbortSignal,
  run: (timeoutMs: number, signal: AbortSignal) => Promise<Outcome>,
) => Promise<Result<Outcome, ApiFailure>>;

/** Runs at most so many queries at once, equal ones that wait as one, and counts them under Thanos's names. */
function createGate(options: QueryRoutesOptions, { clock, observations }: RouterPorts): Gated {
  const gate = createQueryGate(options.gate);
  const alike = createAlikeQueries<Outcome>();
  const prefix = "thanos_query_concurrent_gate_queries";
  const inFlight = observations.gauge(`${prefix}_in_flight`, "Queries that run now.");
  const total = observations.counter(`${prefix}_total`, "Queries that were let in.");
  const waits = observations.histogram(
    `${prefix}_duration_seconds`,
    "Time that queries waited to be let in.",
    [0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120],
  );
  const shared = observations.counter(
    "pleiad_queries_shared_total",
    "Queries that had the answer of an equal one, whose evaluation began while both waited.",
  );
  observations.gauge(`${prefix}_max`, "Queries that may run at once.").set(options.gate.concurrentMax);
  inFlight.set(0);

  const inPlace = async (leave: () => void, waitedMs: number, work: () => Promise<Result<Outcome, ApiFailure>>) => {
    waits.observe(waitedMs / 1000);
    total.add(1);
    inFlight.set(gate.running());
    try {
      return await work();
    } finally {
      leave();
      inFlight.set(gate.running());
    }
  };

  return async (request, signal, run) => {
    const startMs = clock.monotonicMs();
    const timeoutMs = Math.min(request.timeoutMs ?? Infinity, options.timeoutMs);
    const place = gate.tryEnter();
    if (place !== undefined) return await inPlace(place, 0, async () => ok(await run(timeoutMs, signal)));
    const ended = (where: string): Result<Outcome, ApiFailure> =>
      signal.aborted
        ? fail({ errorType: "canceled", message: `query was canceled in ${where}` })
        : fail({ errorType: "timeout", message: `query timed out in ${where}` });
    return await withDeadline(clock, timeoutMs, signal, async (deadline) => {
      const key = request.key();
      const waiting = childAbort(deadline);
      const joined = async (evaluation: SharedEvaluation<Outcome>) => {
        const outcome = await evaluation.join(deadline);
        return outcome === undefined ? ended("expression evaluation") : ok(outcome);
      };
      let adopted: ReturnType<typeof joined> | undefined;
      const stopWaiting =
        key === undefined
          ? undefined
          : alike.wait(key, (evaluation) => {
              adopted = joined(evaluation);
              waiting.abort();
            });
      const entered = await gate.enter(waiting.signal);
      stopWaiting?.();
      waiting.end();
      if (adopted !== undefined) {
        if (entered.ok) entered.value();
        shared.add(1);
        return await adopted;
      }
      if (!entered.ok) {
        if (entered.failure.kind !== "full") return ended("query queue");
        const message = `too many queries: ${options.gate.concurrentMax} run and ${options.gate.waitingMax} wait`;
        return fail({ errorType: "too_many_requests", message, headers: { "retry-after": "5" } });
      }
      const waitedMs = clock.monotonicMs() - startMs;
      return await inPlace(entered.value, waitedMs, async () => {
        const others = key === undefined ? [] : alike.take(key);
        if (others.length === 0) return ok(await run(Math.max(1, timeoutMs - waitedMs), signal));
        // The others came later, and have longer: each keeps its own time.
        const evaluation = shareEvaluation(async (own) => await run(timeoutMs, own));
        for (const adopt of others) adopt(evaluation);
        return await joined(evaluation);
      });
    });
  };
}
