/** What operators did in one evaluation: series, samples and time of each, measured from outside. */
import type { Clock } from "@pleiad/ports";
import { createLateOperator } from "./late-operator.ts";
import type { Operator, RowStream } from "./operator.ts";

export interface OperatorProfile {
  readonly description: string;
  /** Nobody asked it: its reader did the work of both at once, and its counts are zero. */
  readonly isDoneByReader: boolean;
  readonly seriesCount: number;
  readonly sampleCount: number; // given to its reader
  /** In the operator and its inputs, waiting included. Inputs of one operator may run at the same time. */
  readonly elapsedMs: number;
  readonly inputs: readonly OperatorProfile[];
}

export interface Profiler {
  /** The same operator, watched. What reads it must read this one. */
  readonly watch: (operator: Operator) => Operator;
  /** The operators that no other one reads, each with all that it reads: the root last, before it those of scalars. */
  profiles(): readonly OperatorProfile[];
}

interface Measures {
  isDoneByReader: boolean;
  seriesCount: number;
  sampleCount: number;
  elapsedMs: number;
}

export function createProfiler(clock: Clock): Profiler {
  const measuresOf = new Map<Operator, Measures>();

  const profileOf = (operator: Operator): OperatorProfile => ({
    description: operator.description,
    ...(measuresOf.get(operator) ?? newMeasures()),
    inputs: operator.inputs.map(profileOf),
  });

  return {
    watch(operator) {
      const measures = newMeasures();
      const watched = watchOperator(operator, measures, clock);
      measuresOf.set(watched, measures);
      return watched;
    },
    profiles() {
      const read = new Set<Operator>();
      const visit = (operator: Operator) => {
        for (const input of operator.inputs) {
          read.add(input);
          visit(input);
        }
      };
      for (const operator of measuresOf.keys()) visit(operator);
      return [...measuresOf.keys()].filter((operator) => !read.has(operator)).map(profileOf);
    },
  };
}

function newMeasures(): Measures {
  return { isDoneByReader: true, seriesCount: 0, sampleCount: 0, elapsedMs: 0 };
}

function watchOperator(operator: Operator, measures: Measures, clock: Clock): Operator {
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const startMs = clock.monotonicMs();
    try {
      return await work();
    } finally {
      measures.elapsedMs += clock.monotonicMs() - startMs;
    }
  };
  const watchRows = (rows: RowStream): RowStream => ({
    async each(visit, signal) {
      let visitorMs = 0;
      await timed(async () => {
        await rows.each((seriesId, values, present, histograms) => {
          for (const kind of present) if (kind !== 0) measures.sampleCount++;
          const startMs = clock.monotonicMs();
          visit(seriesId, values, present, histograms);
          visitorMs += clock.monotonicMs() - startMs;
        }, signal);
      });
      // What the reader does with a row is the reader's time.
      measures.elapsedMs -= visitorMs;
    },
  });
  return createLateOperator({
    // Some operators know only in the end how they went about it.
    description: () => operator.description,
    inputs: () => operator.inputs,
    dropsName: () => operator.dropsName,
    hasDistinctLabels: () => operator.hasDistinctLabels,
    async series(signal) {
      const labels = await timed(async () => await operator.series(signal));
      measures.isDoneByReader = false;
      measures.seriesCount = labels.length;
      return labels;
    },
    rows: () => operator.rows && watchRows(operator.rows),
    async next(out, signal) {
      const steps = await timed(async () => await operator.next(out, signal));
      if (steps > 0) measures.sampleCount += out.sampleEnds[steps - 1];
      return steps;
    },
  });
}
