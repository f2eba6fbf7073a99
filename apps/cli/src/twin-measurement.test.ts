import { definitions, readMeasured } from "@pleiad/capacity";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { capacityOf } from "@pleiad/fleet";
import type { BucketSizes } from "./block-sizes.ts";
import { defaultFleetFile, loadFleet, planOf } from "./fleet-input.ts";
import { readMetricsPage, type MetricsPage } from "./metrics-page.ts";
import { compareTwin, measuredText, type TwinPages } from "./twin-measurement.ts";

const fleet = loadFleet(defaultFleetFile.replace("seven-nodes", "laptop"));
const plan = planOf(fleet);

function page(text: string): MetricsPage {
  const read = readMetricsPage(new TextEncoder().encode(text));
  if (!read.ok) throw new Error(read.failure);
  return read.value;
}

/** Every cluster has scraped 1,000 series at each of `scrapes`; queriers, gateways and the compactor have done so much. */
function pagesAt(seconds: number, { scrapes, infos, syncs }: Record<"scrapes" | "infos" | "syncs", number>): TwinPages {
  const roles = plan.roles.flatMap(({ id, kind }): readonly (readonly [string, MetricsPage])[] => {
    switch (kind) {
      case "global-querier":
      case "regional-querier":
        return [
          [
            id,
            page(
              `thanos_store_nodes_grpc_connections{store_type="query"} 4\nthanos_store_nodes_grpc_connections{store_type="store"} 3\npleiad_store_client_requests_total{method="/thanos.info.Info/Info"} ${infos}\n`,
            ),
          ],
        ];
      case "store-gateway":
      case "compactor":
        return [
          [
            id,
            page(
              [
                `thanos_blocks_meta_syncs_total ${syncs}\n`,
                `thanos_compact_blocks_marked_total{marker="deletion-mark.json",reason="compacted"} 40\n`,
                `thanos_objstore_bucket_operations_total{operation="iter"} ${syncs}\n`,
                `thanos_objstore_bucket_operations_total{operation="get"} 300\n`,
                `thanos_objstore_bucket_operations_total{operation="upload"} 20\n`,
              ].join(""),
            ),
          ],
        ];
      default:
        return [];
    }
  });
  const processes = plan.twin.clusterProcesses.map(({ name, clusters }) => {
    const lines = clusters.flatMap((cluster) => [
      `prometheus_tsdb_head_series{cluster="${cluster}"} 1000\n`,
      `prometheus_tsdb_head_samples_appended_total{cluster="${cluster}"} ${scrapes * 1000}\n`,
    ]);
    const shipped = clusters.map((cluster) => `thanos_shipper_uploads_total{cluster="${cluster}"} 2\n`);
    const asked = `thanos_objstore_bucket_operations_total{operation="upload"} ${clusters.length * 2 * 5}\n`;
    return [name, page([...lines.sort(), ...shipped, asked].join(""))] as const;
  });
  return { takenMs: seconds * 1000, pages: new Map([...roles, ...processes]) };
}

const bucket: BucketSizes = {
  streams: plan.clusters.map(({ name }) => ({
    cluster: name,
    wholeBlockBytesMean: 1_000_000,
    uploadedBytesPerDay: 12_000_000,
  })),
  blocks: 40,
  chunkBytesPerSample: 2.8,
  indexBytesPerSeries: 100,
  rawBytesPerSample: undefined,
  fiveMinuteBytesPerPoint: undefined,
  spanSeconds: { raw: 43_200, fiveMinutes: 0, oneHour: 0 },
};

const comparison = compareTwin(fleet, plan, {
  before: pagesAt(1000, { scrapes: 2, infos: 50, syncs: 5 }),
  after: pagesAt(1060, { scrapes: 6, infos: 134, syncs: 11 }),
  residentBytes: new Map([
    ["node-2", 2 ** 27],
    ["clusters-east", 2 ** 27],
  ]),
  bucket,
});
const figure = (name: string, scope = "fleet") =>
  comparison.figures.find((one) => one.figure === name && one.scope === scope);

describe("the file of measured values", () => {
  it("is one that plans take, and says nothing that is only the twin's", () => {
    const read = readMeasured(parse(measuredText(comparison, "laptop")), definitions);
    expect(read).toEqual({
      ok: true,
      value: new Map([
        ["blocks.chunk-bytes", 2.8],
        ["blocks.index-bytes", 100],
      ]),
    });
  });

  it("is none the less one where there is no bucket", () => {
    const nothing = measuredText({ ...comparison, constants: new Map() }, "laptop");
    expect(readMeasured(parse(nothing), definitions)).toEqual({ ok: true, value: new Map() });
  });

  it("changes a plan of the whole fleet: what it says a sample weighs is what the bucket fills with", () => {
    const file = new Map(comparison.constants);
    const growth = (measured?: ReadonlyMap<string, number>) =>
      capacityOf(fleet, measured).fleet.figure("bucket.raw-growth").value;
    expect(growth(file) / growth()).toBeCloseTo((2.8 + 0.1) / (1.4 + 0.1));
  });
});

describe("a twin that was looked at twice in a minute", () => {
  for (const [rule, name, scope, predicted, measured] of [
    ["samples a second are those of the minute", "fleet.samples-rate", "fleet", 10_000 / 15, (12 * 4000) / 60],
    ["and of a region those of its clusters", "region.samples-rate", "east", 400, 400],
    ["connections are those of one replica", "regional-querier.connections", "east", 6 + 2, 7],
    ["so are calls of Info", "regional-querier.info-requests", "west", 8 / 5, 84 / 60],
    ["uploads are made a day's", "object-store.upload", "fleet", undefined, 12 * 12e6],
    ["blocks are those of the bucket", "bucket.blocks", "fleet", undefined, 40],
    ["each look of a gateway is a request", "store-gateway.list-requests", "fleet", 4 * 6 * 1440, 4 * 6 * 1440],
    [
      "requests of uploads are those of each block, at twelve a day",
      "object-store.upload-requests",
      "fleet",
      12 * 12 * 10,
      12 * 12 * (5 + 5),
    ],
    [
      "those of compactions, looks not counted, are by the blocks that were merged",
      "compactor.work-requests",
      "fleet",
      undefined,
      ((320 + 20) / 40) * 12 * 12 * (1 + 1 / 4 + 1 / 24),
    ],
    ["the default stands against the measured value", "blocks.chunk-bytes", "fleet", 1.4, 2.8],
  ] as const) {
    it(rule, () => {
      const found = figure(name, scope);
      expect(found?.measured).toBeCloseTo(measured);
      if (predicted !== undefined) expect(found?.predicted).toBeCloseTo(predicted);
    });
  }

  it("an error is what the prediction is more, as a share of what was measured", () => {
    expect(figure("blocks.chunk-bytes")?.error).toBeCloseTo(-0.5);
    expect(figure("region.samples-rate", "east")?.error).toBeCloseTo(0);
  });

  it("six clusters of one process take what a process takes once", () => {
    const { predicted } = figure("memory of process", "clusters-east") ?? { predicted: 0 };
    const blockBytes = (1000 / 15) * 7200 * 2.8 + 1020 * 100;
    expect(predicted).toBeCloseTo((147e6 + 6 * 1030 * 2417) * 1.3 + 6 * 5 * blockBytes, -3);
  });

  it("processes whose memory nobody knows are left out", () => {
    expect(figure("memory of process", "node-1")).toBeUndefined();
  });

  it("gives the model the load that there was, and a plan only what holds for any load", () => {
    expect(comparison.given.get("bucket.retention-raw")).toBe(43_200);
    expect(comparison.given.get("bucket.syncs")).toBeCloseTo(6 * 1440);
    expect([...comparison.constants]).toEqual([
      ["blocks.chunk-bytes", 2.8],
      ["blocks.index-bytes", 100],
    ]);
    // What blocks weigh is predicted from what a sample of this twin weighs.
    expect(comparison.given.get("blocks.chunk-bytes")).toBe(2.8);
  });
});
