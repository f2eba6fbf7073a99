import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { dashboardJson, datasource } from "./dashboard.ts";
import { dashboards } from "./dashboards.ts";
import { metricFacts } from "./metric-catalogue.ts";
import { queryMetrics } from "./query-metrics.ts";

interface GrafanaPanel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: unknown;
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
}

for (const dashboard of dashboards) {
  describe(dashboard.title, () => {
    const queries = dashboard.rows.flatMap(({ panels }) =>
      panels.flatMap((panel) => panel.queries.map(([, query]) => query)),
    );
    for (const version of ["0.37.2", "0.42.4"]) {
      it(`asks only for what Thanos ${version} and its neighbours expose`, () => {
        expect(queries.length).toBeGreaterThan(2);
        const wrong = queries.flatMap((query) => {
          const { names, fault } = queryMetrics(query);
          return fault === undefined ? names.filter((name) => metricFacts(name, version) === undefined) : [fault];
        });
        expect(wrong).toEqual([]);
      });
    }
    it("counts only counters as such", () => {
      const rates = queries.flatMap((query) =>
        [...query.matchAll(/(?:rate|increase)\((\w+)/g)].map(([, name = ""]) => name),
      );
      const kinds = new Set(rates.map((name) => metricFacts(name, "0.42.4")?.kind));
      expect(kinds.has("gauge")).toBe(false);
      expect(kinds.has(undefined)).toBe(false);
    });
    it("is the JSON that was looked at", async () => {
      const text = dashboardJson(dashboard);
      expect(dashboardJson(dashboard)).toBe(text);
      await expect(text).toMatchFileSnapshot(`../testdata/${dashboard.name}.json`);
    });
    it("has panels that do not overlap, each with the fleet's data source", () => {
      const { panels } = JSON.parse(dashboardJson(dashboard)) as { panels: GrafanaPanel[] };
      const taken = new Set<string>();
      for (const { type, gridPos, targets, datasource: own } of panels) {
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            expect(taken.has(`${x} ${y}`)).toBe(false);
            taken.add(`${x} ${y}`);
          }
        }
        if (type === "row") continue;
        expect(own).toEqual(datasource);
        expect(targets?.length).toBeGreaterThan(0);
      }
    });
  });
}

it("uids and titles are each one dashboard's", () => {
  expect(new Set(dashboards.map(({ name }) => name)).size).toBe(dashboards.length);
  expect(new Set(dashboards.map(({ title }) => title)).size).toBe(dashboards.length);
});

describe("the catalogue", () => {
  for (const [rule, name, version, kind] of [
    ["knows a counter", "thanos_shipper_uploads_total", "0.42.4", "counter"],
    ["knows the parts of a histogram", "grpc_server_handling_seconds_bucket", "0.42.4", "histogram"],
    ["and that it has no series of its own name", "grpc_server_handling_seconds", "0.42.4", undefined],
    ["does not know what nobody exposes", "thanos_query_concurrent_queries", "0.42.4", undefined],
    ["nor what a version no longer has", "thanos_query_duplicated_store_addresses_total", "0.42.4", undefined],
    ["but where it had it", "thanos_query_duplicated_store_addresses_total", "0.37.2", "gauge"],
    ["nor what a version does not have yet", "thanos_shipper_corrupted_blocks_total", "0.37.2", undefined],
    ["a counter has no buckets", "up_bucket", "0.42.4", undefined],
  ] as const) {
    it(rule, () => expect(metricFacts(name, version)?.kind).toBe(kind));
  }
});

it("a query that is no PromQL has a fault", () => {
  expect(queryMetrics("sum(")).toMatchObject({ names: [], fault: expect.stringContaining("parse error") });
});

it("the example of the README works, and is this one", () => {
  const [fleet] = dashboards;
  if (fleet === undefined) throw new Error("there are no dashboards");
  const example = () => {
    const { names } = queryMetrics("rate(thanos_compact_iterations_total[1h])");
    const known = names.every((name) => metricFacts(name, "0.42.4") !== undefined);
    return known ? dashboardJson(fleet) : "nobody exposes that";
  };
  expect(JSON.parse(example())).toMatchObject({ uid: "pleiad-fleet" });
  const shown = /```ts\n(.*?)```/s.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"))?.[1] ?? "";
  expect(readFileSync(new URL(import.meta.url), "utf8")).toContain(shown.trimEnd().replace(/^/gm, "    "));
});
