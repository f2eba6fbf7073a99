/** A run of buckets: `offset` is the gap from the end of the span before (absolute for the first). */
export interface BucketSpan {
  readonly offset: number;
  readonly length: number;
}

/**
 * A native histogram with absolute float counts. Schema -4..8 is exponential, -53 has custom bounds.
 * Bucket i of an exponential schema s covers (2^((i-1)*2^-s), 2^(i*2^-s)].
 */
export interface FloatHistogram {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly count: number;
  readonly sum: number;
  readonly positiveSpans: readonly BucketSpan[];
  readonly positiveBuckets: Float64Array;
  readonly negativeSpans: readonly BucketSpan[];
  readonly negativeBuckets: Float64Array;
  readonly customBounds: Float64Array; // upper bounds without +Inf; empty unless the schema is -53
  readonly counterReset: "unknown" | "reset" | "not-reset" | "gauge";
}
