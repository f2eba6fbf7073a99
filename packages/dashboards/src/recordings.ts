/**
 * What is worked out once for everybody who looks: recording rules, and how a dashboard asks where nobody records. Names
 * are `level:metric:operation`, as Prometheus's guide has them.
 */

/** Who evaluates a rule: the rulers, over all clusters; or the Prometheus that watches the roles, over those. */
export type Recorder = "ruler" | "monitoring";

export interface Recording {
  readonly record: string;
  readonly recorder: Recorder;
  /** Labels that the result has: what a matcher may name, and what a query may group by. */
  readonly labels: readonly string[];
  /** The same from the series themselves, of those that the matchers choose. */
  readonly expression: (matchers: string) => string;
}

/** A recording, or its expression where nobody records it. */
export type Reader = (recording: Recording, matchers?: string) => string;

/** Reads what is recorded by these. */
export function readerOf(recorders: ReadonlySet<Recorder>): Reader {
  return ({ record, recorder, expression }, matchers = "") => {
    if (!recorders.has(recorder)) return expression(matchers);
    return select(record, matchers);
  };
}

function ofClusters(record: string, expression: Recording["expression"]): Recording {
  return { record: `region_cluster:${record}`, recorder: "ruler", labels: ["region", "cluster"], expression };
}

/** By labels of the roles; `le` of a histogram has no place in the name. */
function ofRoles(
  labels: readonly string[],
  record: string,
  expression: (by: string, matchers: string) => string,
): Recording {
  const level = labels.filter((label) => label !== "le").join("_");
  const by = labels.join(", ");
  return { record: `${level}:${record}`, recorder: "monitoring", labels, expression: (m) => expression(by, m) };
}

/** The series of a metric that all of the matchers choose; an empty one chooses all. */
function select(metric: string, ...matchers: readonly string[]): string {
  const given = matchers.filter((one) => one !== "");
  return given.length === 0 ? metric : `${metric}{${given.join(", ")}}`;
}

/** Scrape targets of each cluster. */
export const targetsOfCluster = ofClusters("up:count", (m) => `count by (region, cluster) (${select("up", m)})`);

/** Those of them that cannot be scraped; none is 0. */
export const targetsDownOfCluster = ofClusters(
  "up_down:sum",
  (m) => `sum by (region, cluster) (${select("up", m)} == bool 0)`,
);

export const seriesOfCluster = ofClusters(
  "prometheus_tsdb_head_series:sum",
  (m) => `sum by (region, cluster) (${select("prometheus_tsdb_head_series", m)})`,
);

/** Samples that are stored in a second. */
export const samplesOfCluster = ofClusters(
  "prometheus_tsdb_head_samples_appended:rate5m",
  (m) => `sum by (region, cluster) (rate(${select("prometheus_tsdb_head_samples_appended_total", m)}[5m]))`,
);

/** When a replica last uploaded a block, in seconds. One that has uploaded none since its start says nothing. */
export const lastUploadOfCluster = ofClusters(
  "thanos_objstore_bucket_last_successful_upload_time:max",
  (m) => `max by (region, cluster) (${select("thanos_objstore_bucket_last_successful_upload_time", m)} > 0)`,
);

// Of what people and rules ask over HTTP. Behind a query frontend Thanos gives all of them one name.
const questions = `handler=~"query|query_range|query-frontend"`;

export const questionsOfService = ofRoles(
  ["service", "code"],
  "http_requests:rate5m",
  (by, m) => `sum by (${by}) (rate(${select("http_requests_total", questions, m)}[5m]))`,
);

/** Buckets of a histogram, for whatever quantile. */
export const questionSecondsOfService = ofRoles(
  ["service", "le"],
  "http_request_duration_seconds_bucket:rate5m",
  (by, m) => `sum by (${by}) (rate(${select("http_request_duration_seconds_bucket", questions, m)}[5m]))`,
);

export const callSecondsOfService = ofRoles(
  ["service", "le"],
  "grpc_server_handling_seconds_bucket:rate5m",
  (by, m) => `sum by (${by}) (rate(${select("grpc_server_handling_seconds_bucket", m)}[5m]))`,
);

export const bucketRequestsOfService = ofRoles(
  ["service", "operation"],
  "thanos_objstore_bucket_operations:rate5m",
  (by, m) => `sum by (${by}) (rate(${select("thanos_objstore_bucket_operations_total", m)}[5m]))`,
);

export const bucketFailuresOfService = ofRoles(
  ["service", "operation"],
  "thanos_objstore_bucket_operation_failures:rate5m",
  (by, m) => `sum by (${by}) (rate(${select("thanos_objstore_bucket_operation_failures_total", m)}[5m]))`,
);

export const bucketSecondsOfService = ofRoles(
  ["service", "operation", "le"],
  "thanos_objstore_bucket_operation_duration_seconds_bucket:rate5m",
  (by, m) => `sum by (${by}) (rate(${select("thanos_objstore_bucket_operation_duration_seconds_bucket", m)}[5m]))`,
);

/** All of them, in the order in which they are written into rule files. */
export const recordings: readonly Recording[] = [
  targetsOfCluster,
  targetsDownOfCluster,
  seriesOfCluster,
  samplesOfCluster,
  lastUploadOfCluster,
  questionsOfService,
  questionSecondsOfService,
  callSecondsOfService,
  bucketRequestsOfService,
  bucketFailuresOfService,
  bucketSecondsOfService,
];
