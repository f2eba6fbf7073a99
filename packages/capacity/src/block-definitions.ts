/** What samples weigh in blocks, and how many blocks there are. */
import { figures, inputs, type Definition } from "./definition.ts";

const promtool =
  "measured: promtool 2.42 create-blocks-from, 8,000 series, 40 % constant, 30 % counters, 30 % noise; Prometheus documentation says 1 to 2 bytes a sample";
const monzo = "Monzo, thanos#1964: 29.9 G points of five minutes in 125 GB, 2.55 G points of an hour in 13.3 GB";
const levels = "Thanos pkg/compact: levels of 2 h, 8 h, 2 d, 14 d; five minutes from 40 h on, an hour from 10 d on";

export const blockDefinitions: readonly Definition[] = [
  ...inputs("fleet", [
    [
      "blocks.chunk-bytes",
      "bytes/sample",
      { thanos: 1.4, embedded: 1.4 },
      "of chunks in a block of two hours",
      promtool,
    ],
    [
      "blocks.index-bytes",
      "bytes/series",
      { thanos: 200, embedded: 200 },
      "of index in a block",
      `${promtool}: 120 to 240 bytes a series by its labels`,
    ],
    ["blocks.five-minute-bytes", "bytes/sample", 4.2, "a point of five minutes, five aggregates in it", monzo],
    ["blocks.one-hour-bytes", "bytes/sample", 5.2, "a point of an hour", monzo],
    [
      "bucket.retention-raw",
      "s",
      31_536_000,
      "raw samples are kept; for ever counts as a year",
      "the fleet file; Thanos keeps for ever where nobody says otherwise",
    ],
    [
      "bucket.retention-five-minutes",
      "s",
      31_536_000,
      "points of five minutes are kept; for ever counts as a year",
      "the fleet file",
    ],
    [
      "bucket.retention-one-hour",
      "s",
      31_536_000,
      "points of an hour are kept; for ever counts as a year",
      "the fleet file",
    ],
    ["bucket.deduplicates", "count", 0, "1 where the compactor merges replicas", "the fleet file"],
    ["bucket.capacity", "bytes", undefined, "of the bucket", "the fleet file"],
  ]),
  ...figures("fleet", [
    [
      "blocks.raw-bytes",
      "bytes/sample",
      "blocks.chunk-bytes + 0.1",
      "in blocks of two weeks, with index",
      "measured: 1.5 where chunks of two hours take 1.4; 2.74 for 2.59 in blocks of two days of the twin",
    ],
    [
      "blocks.per-stream",
      "blocks",
      "(bucket.retention-raw + bucket.retention-five-minutes + bucket.retention-one-hour) / (14 * 86400) + (min(2.5, bucket.retention-raw / 7200) + min(3, bucket.retention-raw / 28800) + min(3.5, bucket.retention-raw / 172800) + min(3.5, bucket.retention-five-minutes / 172800) + min(1.5, bucket.retention-one-hour / 864000))",
      "of one stream, once compacted: whole fortnights, and half of what each level below may hold",
      levels,
    ],
    [
      "bucket.blocks",
      "blocks",
      "sum(clusters.kept-streams) * blocks.per-stream",
      "in the bucket, once compacted",
      levels,
    ],
    ["bucket.raw-growth", "bytes/day", "sum(clusters.raw-bytes)", "of raw samples, before anything expires", "sum"],
    ["bucket.five-minute-growth", "bytes/day", "sum(clusters.five-minute-bytes)", "of points of five minutes", "sum"],
    ["bucket.one-hour-growth", "bytes/day", "sum(clusters.one-hour-bytes)", "of points of an hour", "sum"],
    [
      "bucket.growth",
      "bytes/day",
      "bucket.raw-growth + bucket.five-minute-growth + bucket.one-hour-growth",
      "of all resolutions, before anything expires",
      "sum",
    ],
    [
      "bucket.bytes",
      "bytes",
      "(bucket.raw-growth * bucket.retention-raw + bucket.five-minute-growth * bucket.retention-five-minutes + bucket.one-hour-growth * bucket.retention-one-hour) / 86400",
      "once the first blocks expire",
      "growth times retention",
    ],
    [
      "bucket.fill",
      "share",
      "bucket.bytes / bucket.capacity",
      "of the bucket, once the first blocks expire",
      "bytes over capacity",
    ],
    [
      "bucket.days-until-full",
      "days",
      "bucket.capacity / bucket.growth",
      "until the bucket is full, were nothing to expire",
      "capacity over growth",
    ],
    [
      "bucket.days-until-full-raw",
      "days",
      "bucket.capacity / bucket.raw-growth",
      "the same of raw samples alone",
      "capacity over growth",
    ],
  ]),
];
