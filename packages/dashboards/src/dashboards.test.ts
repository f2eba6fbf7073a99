import { readFileSync } from "node:fs";
import * as units from "@grafana/grafana-foundation-sdk/units";
import { childExpressions, parseExpression, type Expression } from "@pleiad/promql-syntax";
import { describe, expect, it } from "vitest";
import { dashboardJson, datasource } from "./dashboard.ts";
import { dashboardNames, dashboardsOf } from "./dashboards.ts";
import { metricFacts } from "./metric-catalogue.ts";
import { queryMetrics } from "./query-metrics.ts";
import { recordings } from "./recordings.ts";
import { sdkKeys } from "./sdk-keys.testing.ts";

interface GrafanaPanel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: unknown;
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string; readonly refId: string; readonly legendFormat: string }[];
}
interface GrafanaDashboard {
  readonly panels: readonly GrafanaPanel[];
  readonly templating: { readonly list?: readonly object[] };
}

const unrecorded = dashboardsOf(new Set());
const recorded = dashboardsOf(new Set(["ruler", "monitoring"]));
const recordingOf = new Map(recordings.map((one) => [one.record, one]));
const knownUnits = new Set(Object.values(units).filter((unit) => typeof unit === "string"));

/** Labels that a query asks of a recording: in matchers, and to group by. */
function labelsAsked(query: string): readonly { readonly record: string; readonly label: string }[] {
  const parsed = parseExpression(query.replaceAll("$__rate_interval", "5m"));
  if (!parsed.ok) throw new Error(parsed.failure.message);
  const asked: { record: string; label: string }[] = [];
  const visit = (expression: Expression, grouping: readonly string[]): void => {
    if (expression.kind === "vector-selector" && recordingOf.has(expression.metricName ?? "")) {
      const matched = expression.matchers.map(({ name }) => name).filter((name) => name !== "__name__");
      for (const label of [...matched, ...grouping]) asked.push({ record: expression.metricName ?? "", label });
    }
    const inner = expression.kind === "aggregation" ? [...grouping, ...expression.grouping] : grouping;
    for (const child of childExpressions(expression)) visit(child, inner);
  };
  visit(parsed.value, []);
  return asked;
}

for (const dashboard of [...unrecorded, ...recorded]) {
  describe(`${dashboard.title}${recorded.includes(dashboard) ? ", from recordings" : ""}`, () => {
    const queries = dashboard.rows.flatMap(({ panels }) =>
      panels.flatMap((panel) => panel.queries.map(([, query]) => query)),
    );
    for (const version of ["0.37.2", "0.42.4"]) {
      it(`asks only for what Thanos ${version} and its neighbours expose`, () => {
        expect(queries.length).toBeGreaterThan(2);
        const wrong = queries.flatMap((query) => {
          const { names, fault } = queryMetrics(query);
          if (fault !== undefined) return [fault];
          return names.filter((name) => !recordingOf.has(name) && metricFacts(name, version) === undefined);
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
    it("asks of a recording only labels that it has", () => {
      const missing = queries
        .flatMap(labelsAsked)
        .filter(({ record, label }) => recordingOf.get(record)?.labels.includes(label) !== true);
      expect(missing).toEqual([]);
    });
    it("has panels that do not overlap, each with the fleet's data source, a unit, and words that explain it", () => {
      const { panels } = JSON.parse(dashboardJson(dashboard)) as GrafanaDashboard;
      const taken = new Set<string>();
      for (const { type, title, description = "", gridPos, targets = [], datasource: own, fieldConfig } of panels) {
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            expect(taken.has(`${x} ${y}`)).toBe(false);
            taken.add(`${x} ${y}`);
          }
        }
        if (type === "row") continue;
        expect(own).toEqual(datasource);
        expect(targets.length).toBeGreaterThan(0);
        expect(description.length, title).toBeGreaterThan(10);
        expect(knownUnits, title).toContain(fieldConfig?.defaults.unit);
        // Two lines with one name cannot be told apart.
        expect(new Set(targets.map(({ legendFormat }) => legendFormat)).size).toBe(targets.length);
        for (const { legendFormat, expr } of targets) {
          const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label ?? "");
          for (const label of named) expect(expr, `${title}: ${legendFormat}`).toContain(label);
          expect(legendFormat).not.toBe("");
        }
      }
    });
    it("has no key that Grafana's SDK does not know", () => {
      const { panels, templating, ...top } = JSON.parse(dashboardJson(dashboard)) as GrafanaDashboard;
      const unknown = (
        thing: object,
        ...types: readonly (readonly [of: "dashboard" | "prometheus", type: string])[]
      ) => {
        const known = new Set(types.flatMap(([of, type]) => sdkKeys(of, type)));
        return Object.keys(thing).filter((key) => !known.has(key));
      };
      expect(unknown(top, ["dashboard", "Dashboard"])).toEqual([]);
      for (const panel of panels) {
        const type = panel.type === "row" ? "RowPanel" : "Panel";
        expect(unknown(panel, ["dashboard", type])).toEqual([]);
        expect(unknown(panel.gridPos, ["dashboard", "GridPos"])).toEqual([]);
        for (const target of panel.targets ?? []) expect(unknown(target, ["prometheus", "Dataquery"])).toEqual([]);
      }
      for (const variable of templating.list ?? [])
        expect(unknown(variable, ["dashboard", "VariableModel"])).toEqual([]);
    });
  });
}

for (const dashboard of unrecorded) {
  it(`${dashboard.title} is the JSON that was looked at`, async () => {
    const text = dashboardJson(dashboard);
    expect(dashboardJson(dashboard)).toBe(text);
    await expect(text).toMatchFileSnapshot(`../testdata/${dashboard.name}.json`);
  });
}

it("recordings are named as Prometheus's guide has it, and each is read by a dashboard", () => {
  const read = new Set(
    recorded.flatMap(({ rows }) =>
      rows.flatMap(({ panels }) =>
        panels.flatMap(({ queries }) => queries.flatMap(([, query]) => queryMetrics(query).names)),
      ),
    ),
  );
  for (const { record } of recordings) {
    expect(record).toMatch(/^[a-z_]+:[a-z_]+:[a-z0-9]+$/);
    expect(read).toContain(record);
  }
});

it("uids and titles are each one dashboard's", () => {
  expect(new Set(dashboardNames).size).toBe(unrecorded.length);
  expect(new Set(unrecorded.map(({ title }) => title)).size).toBe(unrecorded.length);
});

describe("the catalogue", () => {
  for (const [rule, name, version, kind] of [
    ["knows a counter", "thanos_shipper_uploads_total", "0.42.4", "counter"],
    ["knows the parts of a histogram", "grpc_server_handling_seconds_bucket", "0.42.4", "histogram"],
    ["and that it has no series of its own name", "grpc_server_handling_seconds", "0.42.4", undefined],
    ["does not know what nobody exposes", "thanos_query_concurrent_queries", "0.42.4", undefined],
    ["nor what a version no longer has", "thanos_query_duplicated_store_addresses_total", "0.42.4", undefined],
    ["but where it had it", "thanos_query_duplicated_store_addresses_total", "0.37.2", "counter"],
    ["nor what a version does not have yet", "thanos_shipper_corrupted_blocks_total", "0.37.2", undefined],
    ["knows a metric whose labels show nothing yet", "thanos_store_nodes_grpc_connections", "0.42.4", "gauge"],
    ["a counter has no buckets", "up_bucket", "0.42.4", undefined],
  ] as const) {
    it(rule, () => expect(metricFacts(name, version)?.kind).toBe(kind));
  }
});

it("a query that is no PromQL has a fault", () => {
  expect(queryMetrics("sum(")).toMatchObject({ names: [], fault: expect.stringContaining("parse error") });
});

it("the example of the README works, and is this one", () => {
  const [fleet] = unrecorded;
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
