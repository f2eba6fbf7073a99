/** Where Debian's Prometheus, version 2.42, answers otherwise than the version that Pleiad follows, and why. */
import type { ApiReply } from "./answer-difference.ts";

export interface KnownDifference {
  readonly reason: string;
  /** Answered differently today: without such a question the entry would be of no use. */
  readonly example: { readonly query: string; readonly kind: "instant" | "range" };
  applies(query: string, kind: "instant" | "range", ours: ApiReply, theirs: ApiReply): boolean;
}

export const knownDifferences: readonly KnownDifference[] = [
  {
    reason: "since 3.0 a dot in a regular expression matches a line break",
    example: { query: 'odd_text{text=~"<b>.*"}', kind: "instant" },
    applies: (query) => query.includes("odd_text{text=~"),
  },
  {
    reason: "since 3.0 any UTF-8 text is a label name",
    example: { query: 'label_replace(odd_left, "a b", "$1", "id", "(.*)")', kind: "instant" },
    applies: (query) => query.includes('"a b"'),
  },
  {
    reason: "atan2 drops the metric name, as the other operators do",
    example: { query: "odd_left atan2 2", kind: "instant" },
    applies: (query) => query.includes("atan2"),
  },
  {
    reason: "since 3.9 a filter with several matches on one side fails even if it would leave one of them",
    example: { query: "odd_many == on (id) odd_left", kind: "instant" },
    applies: (_query, _kind, ours, theirs) =>
      theirs.status === 200 && ours.status === 422 && ours.text.includes("many-to-one matching must be explicit"),
  },
  {
    reason: "the window of predict_linear stays at its @ for all steps; in 2.42 it moves along",
    example: { query: "predict_linear(node_load1[1m] @ AT, 600)", kind: "range" },
    applies: (query) => /predict_linear\(.*@/.test(query),
  },
  {
    reason: "timestamp() of a selector heeds an offset beside an @",
    example: { query: "timestamp(node_load1 @ AT offset 6m)", kind: "instant" },
    applies: (query) => /timestamp\(.*(?:@.*offset|offset.*@)/.test(query),
  },
  {
    reason:
      "the deviation of a group that starts with NaN or an infinity is NaN; in 2.42 it is 0 while that stands alone",
    example: { query: 'stddev by (shape) (odd_gauge{shape="nan"} * NaN)', kind: "instant" },
    applies: (query, _kind, ours) => /\bstd(?:dev|var)\b/.test(query) && ours.text.includes('"NaN"'),
  },
];

/** Requests that Pleiad answers otherwise on purpose. */
export const deliberateAnswers = [
  { reason: "since 3.0 any text is a label name", request: "label/a-b/values", ours: 200, theirs: 400 },
  {
    reason: "an escape that is broken is not a parameter left out",
    request: "query?query=up&time=%zz",
    ours: 400,
    theirs: 200,
  },
  {
    reason: "a time that is over before it begins is a mistake of the caller, not of the server",
    request: "query?query=up&timeout=-1",
    ours: 400,
    theirs: 503,
  },
  {
    reason: "as Thanos, a range without a step gets one",
    request: "query_range?query=up&start=0&end=100",
    ours: 200,
    theirs: 400,
  },
  {
    reason: "as Thanos, a range that ends before it begins is refused",
    request: "series?match[]=up&start=10&end=0",
    ours: 400,
    theirs: 200,
  },
] as const;
