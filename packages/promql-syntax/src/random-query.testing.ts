/** Random questions that have answers: selectors of series that exist, under everything that the engine evaluates. */
import { seededRandom, type Random } from "@pleiad/ports";

/**
 * A vector is exact where its values are samples or whole numbers, so that no engine rounds on the way. Only of such is
 * asked what a last digit decides: order, equality, whole parts.
 */
type Exactness = "exact" | "rounded";

/** The series that there are. */
export interface Vocabulary {
  readonly gauges: readonly string[];
  readonly counters: readonly string[];
  /** No two series of one have the same value at the same time: which of them topk keeps is then decided. */
  readonly untied: readonly string[];
  /** Values that are seconds of some year. */
  readonly moments: readonly string[];
  readonly labelNames: readonly string[];
  /** Vectors with a label `id` and a label `zone`, of which the first has one series an `id`. */
  readonly joined: readonly [one: string, many: string];
  /** Cumulative buckets that only ever grow. */
  readonly buckets: string;
  /** Counters that are native histograms of whole counts, if there are any. */
  readonly natives?: readonly string[];
}

interface Scope {
  readonly random: Random;
  readonly vocabulary: Vocabulary;
  readonly at: string;
  readonly depth: number;
  /** One in another is evaluated at whole steps of the outer one, where its left edge may meet a step of its own. */
  readonly isInSubquery: boolean;
}

const depthMax = 4;

/** One query that gives a scalar or an instant vector. `at` is a time inside the data, spelled as after `@`. */
export function randomQuery(seed: number, at: string, vocabulary: Vocabulary): string {
  const random = seededRandom(seed);
  const scope: Scope = { random, vocabulary, at, depth: 0, isInSubquery: false };
  return tidy(random.int(8) === 0 ? scalar(scope) : vector(scope, random.int(3) === 0 ? "exact" : "rounded"));
}

/** The same, but that the query is an aggregation, or is made of some: what is evaluated in parts. */
export function randomAggregation(seed: number, at: string, vocabulary: Vocabulary): string {
  const random = seededRandom(seed);
  return tidy(aggregations({ random, vocabulary, at, depth: 0, isInSubquery: false }));
}

function tidy(query: string): string {
  return query.replaceAll(/ +/g, " ").replaceAll(" )", ")").trim();
}

/** Of one cluster of a twin, with the odd series. */
export const clusterVocabulary: Vocabulary = {
  gauges: [
    "node_load1",
    "node_memory_MemFree_bytes",
    'node_memory_Cached_bytes{node!=""}',
    "node_filesystem_avail_bytes",
    'node_filesystem_avail_bytes{mountpoint="/"}',
    "kube_pod_status_phase{phase='Running'}",
    'kube_deployment_status_replicas{namespace=~"p.*"}',
    "odd_gauge",
    'odd_gauge{shape="wave"}',
    'odd_gauge{shape=~"nan|stale|gap"}',
    'odd_gauge{shape!~"huge|infinite|tiny|nan"}',
    "odd_left",
    "odd_right",
    "odd_many",
    "odd_first_half",
    '{__name__=~"odd_(left|right)"}',
    "up",
    "nosuch",
  ],
  counters: [
    "node_cpu_seconds_total",
    'node_cpu_seconds_total{cpu="0", mode=~"idle|user"}',
    "node_network_receive_bytes_total",
    'apiserver_request_total{verb="GET"}',
    'apiserver_request_total{code=~"4..|5.."}',
    'http_request_duration_seconds_bucket{handler="/"}',
    "http_request_duration_seconds_count",
    "container_cpu_usage_seconds_total{container='main'}",
    'odd_total{shape=~"resets|flat|fast"}',
  ],
  untied: [
    "node_memory_MemFree_bytes",
    "node_memory_MemAvailable_bytes offset 4m",
    "node_network_receive_bytes_total",
    'node_cpu_seconds_total{mode="idle"}',
    'odd_gauge{shape=~"wave|negative|huge"}',
    "odd_left",
  ],
  moments: ["node_memory_MemFree_bytes", "node_network_receive_bytes_total", "odd_left", "timestamp(odd_gauge)"],
  labelNames: ["mode", "cpu", "node", "job", "instance", "shape", "id", "zone", "code", "le", "__name__", "nosuch"],
  joined: ["max by (id) (odd_left)", "odd_many"],
  buckets: "http_request_duration_seconds_bucket",
};

const durations = ["30s", "1m", "2m", "5m", "7m", "11m", "20m"];
const comparisons = ["==", "!=", "<", ">", "<=", ">="];

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.int(from.length)] as T;
}

function inner(scope: Scope): Scope {
  return { ...scope, depth: scope.depth + 1 };
}

function shift({ random, at }: Scope): string {
  const parts: string[] = [];
  if (random.int(4) === 0) parts.push(`offset ${pick(random, ["1m", "3m", "10m", "-1m", "45s"])}`);
  if (random.int(6) === 0) parts.push(`@ ${pick(random, [at, "start()", "end()"])}`);
  return ` ${(random.int(2) === 0 ? parts : parts.reverse()).join(" ")}`;
}

function metric({ random, vocabulary }: Scope): string {
  return pick(random, random.int(2) === 0 ? vocabulary.gauges : vocabulary.counters);
}

function selector(scope: Scope): string {
  return metric(scope) + shift(scope);
}

function range(scope: Scope, exactness: Exactness, metrics?: readonly string[]): string {
  const { random, depth, isInSubquery } = scope;
  if (metrics === undefined && !isInSubquery && depth < depthMax && random.int(4) === 0) {
    const input = vector({ ...scope, depth: depth + 2, isInSubquery: true }, exactness);
    return `(${input})[${pick(random, durations)}:${pick(random, ["", "30s", "1m", "17s", "2m"])}]${shift(scope)}`;
  }
  const name = metrics === undefined ? metric(scope) : pick(random, metrics);
  return `${name}[${pick(random, durations)}]${shift(scope)}`;
}

function grouping({ random, vocabulary: { labelNames } }: Scope): string {
  const names = Array.from({ length: random.int(3) }, () => pick(random, labelNames)).join(", ");
  return pick(random, ["", `by (${names})`, `without (${names})`]);
}

function matching({ random, vocabulary: { labelNames } }: Scope): string {
  const names = Array.from({ length: 1 + random.int(2) }, () => pick(random, labelNames)).join(", ");
  return pick(random, ["", `on (${names})`, `ignoring (${names})`]);
}

function number({ random }: Scope): string {
  return pick(random, ["0", "1", "2", "0.5", "-3", "1e3", "100", "NaN", "Inf", "-Inf", "0.9"]);
}

function scalar(scope: Scope): string {
  const { random } = scope;
  const next = () => scalar(inner(scope));
  if (scope.depth >= depthMax) return number(scope);
  switch (random.int(6)) {
    case 0:
      return `(${next()} ${pick(random, ["+", "-", "*", "/", "%", "^", "atan2", "> bool", "== bool"])} ${next()})`;
    case 1:
      return `scalar(${vector(inner(scope), "exact")})`;
    case 2:
      return pick(random, ["time()", "pi()"]);
    case 3:
      return `-(${next()})`;
    default:
      return number(scope);
  }
}

function vector(scope: Scope, exactness: Exactness): string {
  if (scope.depth >= depthMax) return selector(scope);
  const { natives } = scope.vocabulary;
  if (natives !== undefined && scope.random.int(10) === 0) return nativeVector(scope, exactness, natives);
  return exactness === "exact" ? exactVector(scope) : roundedVector(scope);
}

const dates = ["minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"];

/** Samples as they are, counts, and what picks among them. */
function exactVector(scope: Scope): string {
  const { random, vocabulary } = scope;
  const { labelNames, untied, moments } = vocabulary;
  const next = () => vector(inner(scope), "exact");
  const label = () => pick(random, labelNames);
  switch (random.int(17)) {
    case 0:
      return `${pick(random, ["min", "max", "count", "group"])} ${grouping(scope)} (${next()})`;
    case 1: {
      const count = pick(random, ["1", "2", "5"]);
      return `${pick(random, ["topk", "bottomk"])} ${grouping(scope)} (${count}, ${pick(random, untied)})`;
    }
    case 2:
      return `count_values ${grouping(scope)} ("${pick(random, ["value", "id"])}", ${next()})`;
    case 3:
      return `(${next()}) ${pick(random, comparisons)} ${number(scope)}`;
    case 4:
      return `${number(scope)} ${pick(random, comparisons)} bool (${next()})`;
    case 5:
      return `(${next()}) ${pick(random, comparisons)} ${pick(random, ["", "bool"])} ${matching(scope)} (${next()})`;
    case 6:
      return `(${next()}) ${pick(random, ["and", "or", "unless"])} ${matching(scope)} (${next()})`;
    case 7:
    case 8:
      return `${pick(random, ["min", "max", "count", "last", "present"])}_over_time(${range(scope, "exact")})`;
    case 9:
      return `${pick(random, ["changes", "resets"])}(${range(scope, "exact")})`;
    case 10:
      return `${pick(random, ["abs", "ceil", "floor", "sgn", "round", "-", "timestamp", "sort", "sort_desc"])}(${next()})`;
    case 11:
      return `${pick(random, dates)}(${pick(random, moments)})`;
    case 12:
      return pick(random, [
        `label_replace(${next()}, "to", "$1", "${label()}", "(.?).*")`,
        `label_replace(${next()}, "${label()}", "a\${1}$2", "${label()}", "(.)(.*)")`,
        `label_join(${next()}, "to", "-", "${label()}", "${label()}")`,
        `label_join(${next()}, "${label()}", "", "${label()}")`,
      ]);
    case 13:
      return `(${next()}) ${pick(random, ["-", "%"])} ${pick(random, ["1", "7", "(-2)", "0.5"])}`;
    case 14:
      return pick(random, [
        `absent(${next()})`,
        `absent_over_time(${range(scope, "exact")})`,
        `vector(${scalar(inner(scope))})`,
        `${pick(random, ["clamp_min", "clamp_max"])}(${next()}, ${number(scope)})`,
        `round(${next()}, ${pick(random, ["0.5", "5", "100"])})`,
      ]);
    default:
      return selector(scope);
  }
}

function aggregations(scope: Scope): string {
  const { random, vocabulary, isInSubquery } = scope;
  const rounded = () => vector({ ...scope, depth: scope.depth + 2 }, "rounded");
  const exact = () => vector({ ...scope, depth: scope.depth + 2 }, "exact");
  const added = (grouped: string) =>
    `${pick(random, ["sum", "avg", "count", "min", "max", "stddev", "stdvar", "group"])} ${grouped} (${rounded()})`;
  const label = pick(random, vocabulary.labelNames);
  switch (random.int(isInSubquery ? 5 : 10)) {
    case 0:
      return `${pick(random, ["topk", "bottomk"])} ${grouping(scope)} (${pick(random, ["1", "3", "10"])}, ${pick(random, vocabulary.untied)}${shift(scope)})`;
    case 1:
      return `count_values ${grouping(scope)} ("value", ${exact()})`;
    case 2:
      return `quantile ${grouping(scope)} (${pick(random, ["0", "0.5", "0.95", "1"])}, ${rounded()})`;
    case 3:
      return `(${added(`by (${label})`)}) / on (${label}) (${added(`by (${label})`)})`;
    case 4:
      return `(${rounded()}) ${pick(random, ["/", "*", "+"])} on (${label}) group_left () (${added(`by (${label})`)})`;
    case 5: {
      const input = aggregations({ ...scope, depth: scope.depth + 1, isInSubquery: true });
      return `${pick(random, ["max", "min", "avg", "last"])}_over_time((${input})[${pick(random, ["5m", "11m"])}:${pick(random, ["1m", "2m"])}]${shift(scope)})`;
    }
    case 6:
      return `${pick(random, ["sum", "avg", "max"])} ${grouping(scope)} (${added(grouping(scope))})`;
    case 7:
      return `(${added(grouping(scope))}) ${pick(random, ["and", "or", "unless"])} ${matching(scope)} (${added(grouping(scope))})`;
    default:
      return added(grouping(scope));
  }
}

/** Native histograms, numbers of them, and what passes over them with a remark. */
function nativeVector(scope: Scope, exactness: Exactness, natives: readonly string[]): string {
  const { random } = scope;
  const metricOf = () => pick(random, natives);
  if (exactness === "exact") {
    return pick(random, [
      `histogram_count(${metricOf()}${shift(scope)})`,
      `count ${grouping(scope)} (${metricOf()}${shift(scope)})`,
      `max ${grouping(scope)} (histogram_count(${metricOf()}${shift(scope)}))`,
      `${pick(random, ["count", "present"])}_over_time(${metricOf()}[${pick(random, durations)}]${shift(scope)})`,
      `histogram_count(last_over_time(${metricOf()}[${pick(random, durations)}]${shift(scope)}))`,
      `max ${grouping(scope)} (${metricOf()}${shift(scope)})`,
    ]);
  }
  const grown = `${pick(random, ["rate", "increase"])}(${metricOf()}[${pick(random, durations)}]${shift(scope)})`;
  const added = `${pick(random, ["sum", "sum", "avg"])} ${grouping(scope)} (${grown})`;
  const some = pick(random, [grown, added, added, metricOf()]);
  return pick(random, [
    `histogram_quantile(${pick(random, ["0", "0.5", "0.9", "0.99", "1", "2"])}, ${some})`,
    `histogram_fraction(${pick(random, ["0", "-Inf", "1"])}, ${pick(random, ["2", "8", "+Inf"])}, ${some})`,
    `histogram_${pick(random, ["sum", "count"])}(${some})`,
    `(${some}) ${pick(random, ["*", "/"])} ${pick(random, ["2", "0.5"])}`,
    some,
    `sum ${grouping(scope)} (histogram_sum(${grown}))`,
  ]);
}

function roundedVector(scope: Scope): string {
  const { random, vocabulary } = scope;
  const { labelNames, gauges, counters, buckets, joined } = vocabulary;
  const next = () => vector(inner(scope), random.int(3) === 0 ? "exact" : "rounded");
  const windows = () => range(scope, "rounded");
  const label = () => pick(random, labelNames);
  switch (random.int(16)) {
    case 0:
    case 1:
      return `${pick(random, ["sum", "avg", "min", "max", "count", "stddev", "stdvar"])} ${grouping(scope)} (${next()})`;
    case 2:
      return `quantile ${grouping(scope)} (${pick(random, ["0", "0.5", "0.95", "1", "-1"])}, ${next()})`;
    case 3:
      return `(${next()}) ${pick(random, ["+", "*", "/", "^", "atan2"])} (${scalar(inner(scope))})`;
    case 4:
      return `(${scalar(inner(scope))}) ${pick(random, ["+", "*", "/"])} (${next()})`;
    case 5:
      return `(${next()}) ${pick(random, ["+", "*", "/"])} ${matching(scope)} (${next()})`;
    case 6:
      return pick(random, [
        `(${next()}) * on (id) group_left (${pick(random, ["", "zone"])}) (max by (id) (${next()}))`,
        `(${joined[1]}) ${pick(random, ["*", "-", ">", "<= bool"])} on (id) group_left (${pick(random, ["", "zone", "to"])}) (${joined[0]})`,
        `(sum by (${label()}) (${next()})) * on (${label()}) group_right (${pick(random, ["", "zone"])}) (${next()})`,
      ]);
    case 7:
    case 8:
    case 9:
      return `${pick(random, ["rate", "increase", "irate"])}(${range(scope, "exact", counters)})`;
    case 10:
      return `${pick(random, ["delta", "idelta", "deriv"])}(${range(scope, "exact", gauges)})`;
    case 11:
      return `${pick(random, ["sum", "avg", "stddev", "stdvar", "max", "min"])}_over_time(${windows()})`;
    case 12:
      return pick(random, [
        `quantile_over_time(${pick(random, ["0", "0.3", "0.9", "1"])}, ${windows()})`,
        `predict_linear(${windows()}, 60)`,
        `clamp(${next()}, -5, 1000)`,
        `absent(${next()})`,
        `absent_over_time(${windows()})`,
      ]);
    case 13:
      return `${pick(random, ["sqrt", "exp", "abs", "deg", "sgn", "ln", "log2", "log10", "rad", "atan", "asinh"])}(${next()})`;
    case 14:
      return pick(random, [
        `histogram_quantile(0.9, sum by (le, ${label()}) (rate(${buckets}[5m])))`,
        `histogram_quantile(${number(scope)}, ${buckets}${shift(scope)})`,
        `histogram_quantile(0.5, ${next()})`,
        "histogram_quantile(0.99, odd_seconds_bucket)",
      ]);
    default:
      return exactVector(scope);
  }
}
