/** Range queries in parts: what the cache knows, what a querier must be asked, and both as one answer. */
import { createHash } from "node:crypto";
import { quoteJson, type ApiFailure } from "@pleiad/http-api";
import { fail, ok, type Result } from "@pleiad/model";
import type { HttpAnswer, Ports } from "@pleiad/ports";
import type { HeldBytes } from "./answer-room.ts";
import type { DownstreamAnswer, DownstreamFailure } from "./downstreams.ts";
import {
  decodeExtents,
  encodeExtents,
  keptSeries,
  settledPart,
  stretchesOf,
  uniteExtents,
  usableExtents,
  type Extent,
  type Freshness,
  type Stretch,
} from "./extents.ts";
import { combineStatistics, mergeSeries, uniteRemarks } from "./matrix-merge.ts";
import { readRangeAnswer, seriesJson, type RangeAnswer, type SeriesText } from "./matrix-text.ts";
import { rangeForm, type RangeRequest } from "./range-request.ts";
import type { GuardedCache } from "./results-cache.ts";
import { countSteps, splitGrid, splitIntervalOf, type StepGrid, type StepPart } from "./step-grid.ts";

export interface RangeQueriesOptions {
  readonly splitIntervalMs: number; // 0: queries stay whole, and nothing is kept
  readonly parallelismMax: number; // parts of one query at once
  readonly freshnessMsMin: number; // steps that are younger are not kept
  readonly validityMs: number; // of what is kept
  readonly answerBytesMax: number;
  readonly cache: GuardedCache | undefined;
  /** The failure where what is kept finds no room. */
  readonly noRoom: () => DownstreamFailure;
}

/** On whose behalf a query is asked. */
export interface Caller {
  readonly tenant: string;
  /** The headers that go downstream, whatever they are: answers may depend on them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly usesCache: boolean;
}

/** Asks a querier by a form, when it is the caller's turn. */
export type AskRange = (
  form: string,
  caller: Caller,
  signal: AbortSignal,
) => Promise<Result<DownstreamAnswer, DownstreamFailure>>;

export interface RangeReply {
  readonly body: Uint8Array;
  readonly isPartial: boolean;
  readonly partCount: number;
  readonly stepCount: number;
  readonly keptStepCount: number; // from the cache
}

export type RangeQueryFailure =
  /** What a querier said in place of an answer. */
  | { readonly kind: "refused"; readonly answer: HttpAnswer }
  | { readonly kind: "unanswered"; readonly failure: DownstreamFailure }
  | { readonly kind: "over-limit"; readonly failure: ApiFailure }
  /** An answer that cannot be put together with others: the whole query is to be asked at once. */
  | { readonly kind: "unreadable"; readonly reason: string };

export interface RangeQueries {
  /** Never rejects but for a bug. What is held of the answer, and before of its parts, is counted in `held`. */
  answer(
    request: RangeRequest,
    caller: Caller,
    held: HeldBytes,
    signal: AbortSignal,
  ): Promise<Result<RangeReply, RangeQueryFailure>>;
}

interface PartAnswer {
  readonly series: readonly SeriesText[];
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly stats: readonly unknown[];
  readonly isPartial: boolean;
  readonly keptStepCount: number;
}

type Fetched = RangeAnswer & { readonly isPartial: boolean };

export function createRangeQueries(
  options: RangeQueriesOptions,
  ask: AskRange,
  { clock, observations }: Pick<Ports, "clock" | "observations">,
): RangeQueries {
  const { splitIntervalMs, answerBytesMax, cache } = options;
  const splits = observations.counter("thanos_frontend_split_queries_total", "Parts that queries were cut into.", [
    "tripperware",
  ]);
  const keptSteps = observations.counter("pleiad_query_frontend_steps_total", "Steps that were answered.", ["from"]);

  return { answer };

  async function answer(
    request: RangeRequest,
    caller: Caller,
    held: HeldBytes,
    signal: AbortSignal,
  ): ReturnType<RangeQueries["answer"]> {
    const intervalMs = splitIntervalOf(request.grid.stepMs, splitIntervalMs === 0 ? Infinity : splitIntervalMs);
    const parts = splitIntervalMs === 0 ? [{ slot: 0, grid: request.grid }] : splitGrid(request.grid, intervalMs);
    splits.add(parts.length, "query_range");
    const bytes = { left: answerBytesMax };
    const found = await inParallel(parts, options.parallelismMax, signal, async (part, partSignal) =>
      answerPart({ request, caller, part, intervalMs, bytes, held, signal: partSignal }),
    );
    if (!found.ok) return found;
    const keptStepCount = found.value.reduce((sum, part) => sum + part.keptStepCount, 0);
    const stepCount = countSteps(request.grid);
    keptSteps.add(keptStepCount, "cache");
    keptSteps.add(stepCount - keptStepCount, "querier");
    const body = bodyOf(found.value);
    // What the parts were is not needed any more.
    held.become(body.length);
    return ok({
      body,
      isPartial: found.value.some(({ isPartial }) => isPartial),
      partCount: parts.length,
      stepCount,
      keptStepCount,
    });
  }

  interface PartQuestion {
    readonly request: RangeRequest;
    readonly caller: Caller;
    readonly part: StepPart;
    readonly intervalMs: number;
    readonly bytes: { left: number };
    readonly held: HeldBytes;
    readonly signal: AbortSignal;
  }

  async function answerPart(question: PartQuestion): Promise<Result<PartAnswer, RangeQueryFailure>> {
    const { request, caller, part } = question;
    const freshness = freshnessOf(request, clock.wallMs());
    const isKept = cache !== undefined && splitIntervalMs > 0 && request.isCacheable && caller.usesCache;
    if (!isKept || freshness === undefined) {
      const fetched = await fetchStretch(question, part.grid);
      return fetched.ok ? ok(unitePieces([fetched.value], 0)) : fetched;
    }
    // Headers may be secrets: what is kept must not tell them.
    const headers = digestOf(JSON.stringify(caller.headers));
    const identity = JSON.stringify([caller.tenant, headers, question.intervalMs, part.slot, request.identity]);
    const known = await readExtents(cache, identity, request.query, freshness);
    const pieces: Fetched[] = [];
    const added: Extent[] = [];
    let keptStepCount = 0;
    for (const stretch of stretchesOf(part.grid, known)) {
      const piece = await answerStretch(question, stretch);
      if (!piece.ok) return piece;
      pieces.push(piece.value);
      if (stretch.kind === "kept") keptStepCount += countSteps(stretch.grid);
      else added.push(...keepable(piece.value, stretch.grid, request.query, freshness));
    }
    if (added.length > 0) cache.write(keyOf(identity), encodeExtents(identity, uniteExtents([...known, ...added])));
    return ok(unitePieces(pieces, keptStepCount));
  }

  /** Undefined where nothing of the answer can be settled yet. */
  function freshnessOf({ aheadMs, fixedMs }: RangeRequest, nowMs: number): Freshness | undefined {
    const settledMs = options.freshnessMsMin + aheadMs;
    if (!Number.isFinite(settledMs) || fixedMs > nowMs - options.freshnessMsMin) return undefined;
    return { nowMs, settledMs, validityMs: options.validityMs };
  }

  async function readExtents(from: GuardedCache, identity: string, query: string, freshness: Freshness) {
    const bytes = await from.read(keyOf(identity));
    if (bytes === undefined) return [];
    const extents = decodeExtents(bytes, identity);
    if (extents.ok) return usableExtents(extents.value, query, freshness);
    observations.log("warn", "what the cache holds cannot be read", { reason: extents.failure });
    return [];
  }

  async function answerStretch(question: PartQuestion, stretch: Stretch): Promise<Result<Fetched, RangeQueryFailure>> {
    if (stretch.kind === "missing") return await fetchStretch(question, stretch.grid);
    const { warnings, infos } = stretch.extent;
    const series = keptSeries(stretch);
    const bytes = sizeOf(series);
    if (!question.held.take(bytes)) return fail({ kind: "unanswered", failure: options.noRoom() });
    const overLimit = countBytes(question.bytes, bytes);
    return overLimit ?? ok({ series, warnings, infos, stats: undefined, isPartial: false });
  }

  async function fetchStretch(
    { request, caller, bytes, held, signal }: PartQuestion,
    grid: StepGrid,
  ): Promise<Result<Fetched, RangeQueryFailure>> {
    const asked = await ask(rangeForm(request.parameters, grid), caller, signal);
    if (!asked.ok) return fail({ kind: "unanswered", failure: asked.failure });
    held.share(asked.value.held);
    const { status, headers, body } = asked.value;
    if (status !== 200) return fail({ kind: "refused", answer: asked.value });
    const overLimit = countBytes(bytes, body.length);
    if (overLimit !== undefined) return overLimit;
    const text = textOf(body);
    if (text === undefined) return fail({ kind: "unreadable", reason: "it is no UTF-8" });
    const read = readRangeAnswer(text, grid);
    if (!read.ok) return fail({ kind: "unreadable", reason: read.failure });
    const isPartial = /\bno-store\b/.test(headers.get("cache-control") ?? "");
    return ok({ ...read.value, isPartial });
  }

  function countBytes(bytes: { left: number }, count: number): Result<never, RangeQueryFailure> | undefined {
    bytes.left -= count;
    if (bytes.left >= 0) return undefined;
    const message = `the answer is over ${answerBytesMax} bytes: ask for fewer series, a shorter range or a wider step`;
    return fail({ kind: "over-limit", failure: { errorType: "execution", message } });
  }
}

// A warning of the querier's own reckoning. Any other may be of something that is missing.
const evaluationWarning = /^PromQL warning: /;

/** What of a fetched answer may be kept: nothing of one that lacks something. */
function keepable(
  { series, warnings, infos, isPartial }: Fetched,
  grid: StepGrid,
  query: string,
  { nowMs, settledMs }: Freshness,
): readonly Extent[] {
  if (isPartial || warnings.some((warning) => !evaluationWarning.test(warning))) return [];
  return settledPart({ grid, fetchedMs: nowMs, settledMs, query, warnings, infos, series });
}

function unitePieces(pieces: readonly Fetched[], keptStepCount: number): PartAnswer {
  return {
    series: mergeSeries(pieces.map(({ series }) => series)),
    warnings: uniteRemarks(
      pieces.map(({ warnings }) => warnings),
      "warning",
    ),
    infos: uniteRemarks(
      pieces.map(({ infos }) => infos),
      "info",
    ),
    stats: pieces.map(({ stats }) => stats),
    isPartial: pieces.some(({ isPartial }) => isPartial),
    keptStepCount,
  };
}

function bodyOf(parts: readonly PartAnswer[]): Uint8Array {
  const series = mergeSeries(parts.map((part) => part.series));
  const stats = combineStatistics(parts.flatMap((part) => part.stats));
  const warnings = uniteRemarks(
    parts.map((part) => part.warnings),
    "warning",
  );
  const infos = uniteRemarks(
    parts.map((part) => part.infos),
    "info",
  );
  let text = `{"status":"success","data":{"resultType":"matrix","result":[${series.map(seriesJson).join(",")}]`;
  text += stats === undefined ? "}" : `,"stats":${quoteJson(stats)}}`;
  if (warnings.length > 0) text += `,"warnings":${quoteJson(warnings)}`;
  if (infos.length > 0) text += `,"infos":${quoteJson(infos)}`;
  return new TextEncoder().encode(`${text}}`);
}

function keyOf(identity: string): string {
  return `pleiad:query-range:${digestOf(identity)}`;
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function sizeOf(series: readonly SeriesText[]): number {
  return series.reduce((sum, one) => sum + one.metric.length + one.floats.length + one.histograms.length, 0);
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The results of all, in their order, at most so many at once. The first failure ends the others and is the result. */
async function inParallel<T, R, F>(
  items: readonly T[],
  concurrentMax: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<Result<R, F>>,
): Promise<Result<readonly R[], F>> {
  const results: R[] = [];
  let failure: Result<never, F> | undefined;
  const ending = new AbortController();
  const end = () => ending.abort(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  const queue = items.entries();
  const run = async () => {
    for (const [i, item] of queue) {
      const result = await work(item, ending.signal);
      if (failure !== undefined) return;
      if (!result.ok) {
        failure = result;
        ending.abort();
        return;
      }
      results[i] = result.value;
    }
  };
  await Promise.all(Array.from({ length: Math.min(items.length, concurrentMax) }, run));
  signal.removeEventListener("abort", end);
  return failure ?? ok(results);
}
