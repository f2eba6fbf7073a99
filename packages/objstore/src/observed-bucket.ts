/** A bucket whose operations are counted and timed, in the metrics that Thanos has for its own. */
import { BucketError, type Bucket, type Clock, type Observations } from "@pleiad/ports";

/** Thanos's names of the operations, as its dashboards and alerts use them. */
type Operation = "upload" | "get" | "get_range" | "attributes" | "iter" | "delete";

const durationBuckets = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120]; // seconds

export function withMetrics(bucket: Bucket, observations: Observations, clock: Clock): Bucket {
  const labelNames = ["bucket", "operation"];
  const operations = observations.counter(
    "thanos_objstore_bucket_operations_total",
    "Total number of all attempted operations against a bucket.",
    labelNames,
  );
  const failures = observations.counter(
    "thanos_objstore_bucket_operation_failures_total",
    "Total number of operations against a bucket that failed, but were not expected to fail in certain way from caller perspective. Those errors have to be investigated.",
    labelNames,
  );
  const durations = observations.histogram(
    "thanos_objstore_bucket_operation_duration_seconds",
    "Duration of successful operations against the bucket per operation.",
    durationBuckets,
    labelNames,
  );

  const fetchedBytes = observations.counter(
    "thanos_objstore_bucket_operation_fetched_bytes_total",
    "Total number of bytes fetched from bucket, per operation.",
    labelNames,
  );
  const lastUpload = observations.gauge(
    "thanos_objstore_bucket_last_successful_upload_time",
    "Second timestamp of the last successful upload to the bucket.",
    ["bucket"],
  );

  const start = (operation: Operation) => {
    operations.add(1, bucket.name, operation);
    const startMs = clock.monotonicMs();
    return {
      succeeded: () => durations.observe((clock.monotonicMs() - startMs) / 1000, bucket.name, operation),
      failed: (error: unknown) => {
        if (!isExpected(error)) failures.add(1, bucket.name, operation);
      },
    };
  };
  const observe = async <T>(operation: Operation, act: () => Promise<T>): Promise<T> => {
    const running = start(operation);
    try {
      const result = await act();
      running.succeeded();
      return result;
    } catch (error) {
      running.failed(error);
      throw error;
    }
  };

  // Present from the start, so that a rate over them sees the first failure too.
  for (const operation of ["upload", "get", "get_range", "attributes", "iter", "delete"] as const) {
    operations.add(0, bucket.name, operation);
    failures.add(0, bucket.name, operation);
  }
  return {
    name: bucket.name,
    put: async (key, body, options) => {
      const attributes = await observe("upload", () => bucket.put(key, body, options));
      lastUpload.set(clock.wallMs() / 1000, bucket.name);
      return attributes;
    },
    get: async (key, range, signal) => {
      const operation = range === undefined ? "get" : "get_range";
      const bytes = await observe(operation, () => bucket.get(key, range, signal));
      fetchedBytes.add(bytes.length, bucket.name, operation);
      return bytes;
    },
    attributes: (key, signal) => observe("attributes", () => bucket.attributes(key, signal)),
    delete: (key, signal) => observe("delete", () => bucket.delete(key, signal)),
    async *list(prefix, options) {
      const running = start("iter");
      try {
        yield* bucket.list(prefix, options);
        running.succeeded();
      } catch (error) {
        running.failed(error);
        throw error;
      }
    },
  };
}

/** What a caller asks for with open eyes is no failure of the storage. */
function isExpected(error: unknown): boolean {
  return error instanceof BucketError && (error.kind === "not-found" || error.kind === "precondition");
}
