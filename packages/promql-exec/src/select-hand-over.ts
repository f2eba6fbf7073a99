/** A select that one reader began and another goes on with, so that the source is asked once. */
import type { SeriesCursor, SeriesSource, SourceSeries } from "@pleiad/model";

export interface SelectHandOver {
  /** The source; the first select after `handOver` is answered with what was handed over. */
  readonly source: SeriesSource;
  /** `batches` are what `cursor` gave until now: all of it. */
  readonly handOver: (batches: readonly (readonly SourceSeries[])[], cursor: SeriesCursor) => void;
}

export function createSelectHandOver(source: SeriesSource): SelectHandOver {
  let handed: SeriesCursor | undefined;
  return {
    source: {
      select(request, signal) {
        if (handed === undefined) return source.select(request, signal);
        const cursor = handed;
        handed = undefined;
        return cursor;
      },
      labelNames: (request, signal) => source.labelNames(request, signal),
      labelValues: (label, request, signal) => source.labelValues(label, request, signal),
    },
    handOver: (batches, cursor) => {
      let next = 0;
      handed = {
        next: async () => (next < batches.length ? batches[next++] : await cursor.next()),
        get failure() {
          return cursor.failure;
        },
        get warnings() {
          return cursor.warnings;
        },
        close: () => cursor.close(),
      };
    },
  };
}
