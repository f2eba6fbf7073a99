/** The compactor: what it works through, and whether it keeps up. */
import { alone, figures, inputs, type Definition } from "./definition.ts";

const compactor =
  "Thanos compactor documentation: a core for each group at once, disk of two blocks of two weeks for each; Mimir: 4 GB a core";
const merging = "Pleiad's roles: measured, 172 MiB while 40 streams of 1,000 series were merged to blocks of two days";
const monzo = "Monzo, thanos#1964: 16 MB/s in one thread";

export const compactorDefinitions: readonly Definition[] = [
  ...inputs("fleet", [
    ["compactor.throughput", "bytes/s", 16e6, "of one group at a time", monzo],
    [
      "compactor.passes",
      "count",
      4,
      "over every byte that is uploaded: three compactions and one pass of downsampling",
      "Thanos pkg/compact: levels of 8 h, 2 d, 14 d, then downsampling",
    ],
    [
      "compactor.base-memory",
      "bytes",
      { thanos: 2 ** 29, embedded: 139e6 },
      "before the first group",
      `${compactor}. ${alone}: 133 MiB`,
    ],
    [
      "compactor.group-memory",
      "bytes",
      { thanos: 2 ** 28, embedded: 2 ** 24 },
      "of a group however small",
      `${compactor}. ${merging}`,
    ],
    [
      "compactor.block-copies",
      "count",
      { thanos: 8, embedded: 2 },
      "of the block that a group makes, in memory",
      `${compactor}. ${merging}`,
    ],
    ["compactor.core-memory", "bytes", { thanos: 4e9, embedded: 1e9 }, "of one group at a time", compactor],
    [
      "compactor.block-memory",
      "bytes/block",
      16_384,
      "of meta.json in memory",
      "Thanos pkg/block/fetcher.go keeps every meta.json",
    ],
  ]),
  ...figures("fleet", [
    [
      "compactor.bytes",
      "bytes/day",
      "object-store.upload * compactor.passes * 2",
      "read and written",
      "three compactions and one pass of downsampling, each read and written",
    ],
    [
      "compactor.lanes",
      "count",
      "max(1, ceil(compactor.bytes / 86400 / compactor.throughput / 0.6))",
      "groups at once so that it is busy at most 60 % of the time",
      monzo,
    ],
    [
      "compactor.shards",
      "count",
      "max(1, ceil(compactor.lanes / 4))",
      "compactors, each with streams of its own",
      "four groups at once are four cores and 16 GB, a quarter of a large node",
    ],
    [
      "compactor.concurrency",
      "count",
      "max(1, ceil(compactor.lanes / compactor.shards))",
      "groups at once in one compactor",
      compactor,
    ],
    [
      "compactor.load",
      "share",
      "compactor.bytes / 86400 / (compactor.throughput * compactor.concurrency * compactor.shards)",
      "of its time that it works; above 1 it falls behind for ever, below 0.6 it recovers from a pause",
      monzo,
    ],
    [
      "compactor.backlog-seconds",
      "s",
      "object-store.burst * 2 / (compactor.throughput * compactor.concurrency * compactor.shards)",
      "to compact what all clusters cut at once, of 7200 until the next",
      monzo,
    ],
    [
      "compactor.memory",
      "bytes",
      "compactor.base-memory + compactor.concurrency * min(compactor.core-memory, compactor.group-memory + compactor.block-copies * largest(clusters.fortnight-bytes)) + compactor.block-memory * bucket.blocks",
      "of one replica",
      compactor,
    ],
    ["compactor.cpu", "cores", "max(0.5, compactor.concurrency)", "of one replica", compactor],
    [
      "compactor.disk",
      "bytes",
      "1073741824 + 2 * largest(clusters.fortnight-bytes) * compactor.concurrency * 1.2",
      "of one replica: what it merges and what comes out",
      compactor,
    ],
    [
      "compactor.network-in",
      "bytes/s",
      "compactor.bytes / 2 / 86400 / compactor.shards",
      "of one replica on average",
      "half of what it handles",
    ],
    [
      "compactor.network-out",
      "bytes/s",
      "compactor.bytes / 2 / 86400 / compactor.shards",
      "of one replica on average",
      "half of what it handles",
    ],
  ]),
];
