/** Store gateways, of regions and of what has none: index headers, caches, shards. */
import { alone, figures, inputs, type Definition } from "./definition.ts";

const store =
  "Thanos store documentation: 6 MB of disk a block on average, more with many labels; index cache 250 MB, chunk pool 2 GB, 20 series requests at once";
const storeReports = "thanos#1750, #6030: out of memory where blocks were many";
const sharding = "listing, index headers and restarts grow with blocks: a gateway of 5,000 starts within minutes";
const mimir = "Mimir planning page";

export const storeGatewayDefinitions: readonly Definition[] = [
  ...inputs("fleet", [
    ["global-store-gateway.replicas", "count", 0, "of each shard", "the fleet file"],
    ["global-store-gateway.is-only", "count", 0, "1 where no region has store gateways of its own", "the fleet file"],
    ["regional-store-gateway.replicas", "count", 0, "of each shard in each region", "the fleet file"],
    ["store-gateway.blocks-max", "blocks", 5000, "of one shard", sharding],
    ["store-gateway.header-bytes", "bytes/block", 6e6, "of index header on disk", store],
    [
      "store-gateway.block-memory",
      "bytes/block",
      { thanos: 209_715, embedded: 20_000 },
      "of heap",
      `${storeReports}. Pleiad's roles: measured, 17 MiB for 960 blocks of two hours`,
    ],
    [
      "store-gateway.listed-memory",
      "bytes/block",
      { thanos: 0, embedded: 16_384 },
      "of every block that the bucket lists, whoever serves it",
      "Thanos: within the memory of its own blocks. Pleiad's roles: measured, 13 MiB from 80 to 960 blocks of others",
    ],
    [
      "store-gateway.base-memory",
      "bytes",
      { thanos: 2 ** 29, embedded: 145e6 },
      "before the first block",
      `Thanos store documentation. ${alone}: 139 MiB`,
    ],
    ["store-gateway.caches", "bytes", { thanos: 2.25e9, embedded: 2.68e8 }, "index cache and chunk pool", store],
    ["store-gateway.concurrent", "count", 20, "series requests at once", store],
  ]),
  ...figures("fleet", [
    [
      "global-store-gateway.blocks",
      "blocks",
      "bucket.blocks * global-store-gateway.is-only + blocks.per-stream * (ruler.replicas + monitoring-agent.replicas)",
      "that are global gateways' own",
      "what no region has: rulers and the agent of the fleet itself",
    ],
    [
      "global-store-gateway.shards",
      "count",
      "max(1, ceil(global-store-gateway.blocks / store-gateway.blocks-max))",
      "that these blocks need",
      sharding,
    ],
    [
      "global-store-gateway.memory",
      "bytes",
      "store-gateway.base-memory + store-gateway.caches * min(1, 0.1 + global-store-gateway.blocks / 1000) + store-gateway.block-memory * global-store-gateway.blocks / global-store-gateway.shards + store-gateway.listed-memory * bucket.blocks + store-gateway.concurrent * queries.series * global-store-gateway.is-only * queries.series-bytes / global-store-gateway.shards",
      "of one replica",
      store,
    ],
    [
      "global-store-gateway.cpu",
      "cores",
      "0.25 + queries.per-second * queries.history / 10 * (0.2 + 0.8 * global-store-gateway.is-only)",
      "of one replica",
      `${mimir}: a core for 10 queries a second that reach it`,
    ],
    [
      "global-store-gateway.disk",
      "bytes",
      "1073741824 + global-store-gateway.blocks / global-store-gateway.shards * store-gateway.header-bytes * 1.5",
      "of one replica: index headers",
      store,
    ],
    [
      "store-gateway.loaded-blocks",
      "blocks",
      "sum(regional-store-gateway.loaded-blocks) + global-store-gateway.blocks * global-store-gateway.replicas",
      "that all store gateways hold, replicas included",
      "each replica holds its shard's blocks",
    ],
    [
      "store-gateway.pods",
      "count",
      "sum(regional-store-gateway.pods) + global-store-gateway.shards * global-store-gateway.replicas",
      "store gateways of the whole fleet",
      "each shard has its replicas",
    ],
  ]),
  ...figures("region", [
    ["regional-store-gateway.blocks", "blocks", "region.blocks", "of the region", "labels of the region select them"],
    [
      "regional-store-gateway.shards",
      "count",
      "max(1, ceil(regional-store-gateway.blocks / store-gateway.blocks-max))",
      "that these blocks need",
      sharding,
    ],
    [
      "regional-store-gateway.loaded-blocks",
      "blocks",
      "regional-store-gateway.blocks * regional-store-gateway.replicas",
      "that the region's gateways hold, replicas included",
      "each replica holds its shard's blocks",
    ],
    [
      "regional-store-gateway.pods",
      "count",
      "regional-store-gateway.shards * regional-store-gateway.replicas",
      "store gateways of the region",
      "each shard has its replicas",
    ],
    [
      "regional-store-gateway.memory",
      "bytes",
      "store-gateway.base-memory + store-gateway.caches + store-gateway.block-memory * regional-store-gateway.blocks / regional-store-gateway.shards + store-gateway.listed-memory * bucket.blocks + min(store-gateway.concurrent, queries.concurrent-region) * queries.history * region.query-series * queries.series-bytes / regional-store-gateway.shards",
      "of one replica",
      store,
    ],
    [
      "regional-store-gateway.cpu",
      "cores",
      "0.25 + queries.per-second * queries.history / 10",
      "of one replica",
      `${mimir}: a core for 10 queries a second that reach it`,
    ],
    [
      "regional-store-gateway.disk",
      "bytes",
      "1073741824 + regional-store-gateway.blocks / regional-store-gateway.shards * store-gateway.header-bytes * 1.5",
      "of one replica: index headers",
      store,
    ],
    [
      "regional-store-gateway.network-in",
      "bytes/s",
      "queries.history * region.query-rate-series * queries.series-bytes * (1 - queries.cached) / max(1, regional-store-gateway.pods)",
      "of one replica, from object storage",
      "what is not cached",
    ],
    [
      "regional-store-gateway.network-out",
      "bytes/s",
      "queries.history * region.query-rate-series * queries.series-bytes / max(1, regional-store-gateway.pods)",
      "of one replica",
      "what queries select",
    ],
  ]),
];
