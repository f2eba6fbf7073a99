/** What one query may use, and the account of the samples that it holds. */
import type { FloatHistogram } from "@pleiad/model";
import type { QueryLimits } from "./answer.ts";
import { QueryError } from "./query-error.ts";

/** As Prometheus has them: 50 million samples, 11 000 points a series, two minutes. The memory is our own. */
export const defaultLimits: QueryLimits = {
  samplesMax: 50_000_000,
  memoryBytesMax: 2 ** 30,
  stepsMax: 11_000,
  timeoutMs: 120_000,
};

/**
 * What one query holds: samples, a native histogram as the samples that take as much memory; and bytes of what is no sample,
 * encoded chunks, labels, pairs of a join. Samples have a bound, and memory, samples included, has another. Whoever keeps
 * any beyond one call takes room for them and gives it back.
 */
export interface SampleBudget {
  /** Throws a QueryError where the query would hold too many. */
  take(samples: number): void;
  give(samples: number): void;
  /** Throws a QueryError where the query would take too much memory. */
  takeBytes(bytes: number): void;
  giveBytes(bytes: number): void;
  readonly peak: number; // of samples
}

const bytesPerSample = 16;
const histogramHeadBytes = 176; // its time and the fields that every histogram has

/** How many samples a native histogram counts for, in budgets and statistics: as many as take its memory, as in Prometheus. */
export function histogramCost(histogram: FloatHistogram): number {
  const { positiveBuckets, negativeBuckets, customBounds, positiveSpans, negativeSpans } = histogram;
  const numbers = positiveBuckets.length + negativeBuckets.length + customBounds.length;
  const bytes = histogramHeadBytes + 8 * (numbers + positiveSpans.length + negativeSpans.length);
  return Math.floor(bytes / bytesPerSample);
}

export function createSampleBudget({
  samplesMax,
  memoryBytesMax,
}: Pick<QueryLimits, "samplesMax" | "memoryBytesMax">): SampleBudget {
  let held = 0;
  let heldBytes = 0; // of what is no sample
  const checkMemory = () => {
    if (held * bytesPerSample + heldBytes <= memoryBytesMax) return;
    const mebibytes = Math.floor(memoryBytesMax / 2 ** 20);
    throw new QueryError("execution", `query processing would take more than ${mebibytes} MiB of memory`);
  };
  const budget = {
    peak: 0,
    take(samples: number) {
      held += samples;
      if (held > budget.peak) budget.peak = held;
      if (held > samplesMax) {
        throw new QueryError(
          "execution",
          "query processing would load too many samples into memory in query execution",
        );
      }
      checkMemory();
    },
    give(samples: number) {
      held -= samples;
    },
    takeBytes(bytes: number) {
      heldBytes += bytes;
      checkMemory();
    },
    giveBytes(bytes: number) {
      heldBytes -= bytes;
    },
  };
  return budget;
}
