/** A select that one reader began and another goes on with, so that the source is asked once. */
import type { SeriesCursor, SeriesSource, SourceSeries } from "@pleiad/model";
import { FollowingCursor } from "./following-cursor.ts";

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
      handed = new FollowingCursor(cursor, {
        next: async () => (next < batches.length ? batches[next++] : await cursor.next()),
        close: () => cursor.close(),
      });
    },
  };
}
