/** One question to the store: waits for its turn, asks the blocks, and says what came of it. */
import type { Result, SeriesCursor, SourceFailure, SourceSeries } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";
import type { Gate } from "./gate.ts";
import type { Question } from "./question.ts";
import type { StoreMetrics } from "./store-metrics.ts";

const warningsMax = 20;

export interface QuestionContext {
  readonly name: string;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly metrics: StoreMetrics;
}

export interface PlannedSelect {
  readonly cursor: SeriesCursor;
  readonly blockCount: number;
  /** What is to be told whatever the blocks answer. */
  readonly warnings: readonly string[];
}

/** What a question runs under, from its turn to its end. */
export class QuestionRun {
  readonly question: Question;
  /** The question's own: reads that carry it are counted to it. */
  readonly signal: AbortSignal;
  readonly #controller: AbortController;
  readonly #context: QuestionContext;
  readonly #parent: AbortSignal;
  readonly #follow = () => {
    this.#controller.abort(this.#parent.reason);
    // Whoever cancels may forget to close.
    this.#leave?.();
  };
  #leave: (() => void) | undefined;
  #isEnded = false;

  constructor(question: Question, context: QuestionContext, parent: AbortSignal) {
    this.question = question;
    this.#context = context;
    this.#parent = parent;
    this.#controller = new AbortController();
    this.signal = this.#controller.signal;
    if (parent.aborted) this.#follow();
    else parent.addEventListener("abort", this.#follow, { once: true });
  }

  /** Waits for its turn; false where the question was canceled meanwhile. */
  async begin(): Promise<boolean> {
    const { gate, metrics, clock } = this.#context;
    const startMs = clock.monotonicMs();
    try {
      const leave = await gate.enter(this.signal);
      if (this.#isEnded) leave();
      else this.#leave = leave;
    } catch (error) {
      if (!this.signal.aborted) throw error;
      return false;
    }
    metrics.gateSeconds.observe((clock.monotonicMs() - startMs) / 1000);
    metrics.gateInside.set(gate.inside);
    return !this.#isEnded;
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#parent.removeEventListener("abort", this.#follow);
    const { gate, metrics } = this.#context;
    this.#leave?.();
    metrics.gateInside.set(gate.inside);
    const { touched, fetchedBytes, exceeded } = this.question;
    for (const kind of ["postings", "series", "chunks"] as const) {
      metrics.dataTouched.observe(touched[kind].count, kind);
      metrics.dataFetched.observe(touched[kind].fetchedCount, kind);
    }
    metrics.fetchedBytes.observe(fetchedBytes);
    if (exceeded !== undefined) metrics.questionsDropped.add(1, exceeded.of);
  }

  /** The failure of a block as the question's: a limit is one of all blocks together. */
  failureOf(failure: SourceFailure): SourceFailure {
    return failure.kind === "limit" ? (this.question.limitFailure(this.#context.name) ?? failure) : failure;
  }

  get canceled(): SourceFailure {
    return { kind: "canceled", source: this.#context.name };
  }
}

/** `plan` is called when it is the question's turn. */
export class QuestionCursor implements SeriesCursor {
  failure: SourceFailure | undefined;
  readonly #run: QuestionRun;
  readonly #context: QuestionContext;
  readonly #plan: (signal: AbortSignal) => Result<PlannedSelect, SourceFailure>;
  #cursor: SeriesCursor | undefined;
  #warnings: readonly string[] = [];
  #seriesCount = 0;
  #startMs = 0;
  #firstMs: number | undefined;
  #isEnded = false;

  constructor(
    run: QuestionRun,
    context: QuestionContext,
    plan: (signal: AbortSignal) => Result<PlannedSelect, SourceFailure>,
  ) {
    this.#run = run;
    this.#context = context;
    this.#plan = plan;
  }

  get warnings(): readonly string[] {
    return boundedWarnings(this.#context.name, [...this.#warnings, ...(this.#cursor?.warnings ?? [])]);
  }

  async next(): Promise<readonly SourceSeries[] | undefined> {
    if (this.#isEnded) return undefined;
    try {
      this.#cursor ??= await this.#begin();
      const batch = await this.#cursor?.next();
      this.#firstMs ??= this.#context.clock.monotonicMs();
      if (batch !== undefined && !this.#run.signal.aborted) {
        this.#seriesCount += batch.length;
        return batch;
      }
      if (this.#run.signal.aborted) this.failure ??= this.#run.canceled;
      const failure = this.#cursor?.failure;
      if (failure !== undefined) this.failure ??= this.#run.failureOf(failure);
    } catch (error) {
      this.close();
      throw error;
    }
    this.close();
    return undefined;
  }

  close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cursor?.close();
    this.#run.end();
    const { metrics, clock } = this.#context;
    if (this.#firstMs === undefined) return;
    metrics.getAllSeconds.observe((this.#firstMs - this.#startMs) / 1000);
    metrics.mergeSeconds.observe((clock.monotonicMs() - this.#firstMs) / 1000);
    metrics.resultSeries.observe(this.#seriesCount);
  }

  async #begin(): Promise<SeriesCursor | undefined> {
    if (!(await this.#run.begin())) return undefined;
    this.#startMs = this.#context.clock.monotonicMs();
    const planned = this.#plan(this.#run.signal);
    if (!planned.ok) {
      this.failure = planned.failure;
      return undefined;
    }
    const { cursor, blockCount, warnings } = planned.value;
    this.#context.metrics.blocksQueried.observe(blockCount);
    this.#warnings = warnings;
    return cursor;
  }
}

/** A bucket that is down fails every block: the first ones tell why, the others are counted. */
export function boundedWarnings(source: string, warnings: readonly string[]): readonly string[] {
  if (warnings.length <= warningsMax) return warnings;
  return [...warnings.slice(0, warningsMax), `${source}: ${warnings.length - warningsMax} more warnings`];
}
