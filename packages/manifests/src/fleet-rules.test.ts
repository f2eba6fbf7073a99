import { metricFacts, queryMetrics, recordings } from "@pleiad/dashboards";
import { parse } from "yaml";
import { describe, expect, it } from "vitest";
import { fleetText, objectsOf, rendered } from "./rendered-fleet.fixtures.ts";

const recorded = new Set(recordings.map(({ record }) => record));

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
}
interface Groups {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

function rulesOf(text: string): readonly Rule[] {
  return objectsOf(rendered(text)).flatMap(({ object }) => {
    if (object.kind === "PrometheusRule")
      return (object.spec as unknown as Groups).groups.flatMap(({ rules }) => rules);
    if (object.kind !== "ConfigMap" || object.metadata?.name?.startsWith("rules-") !== true) return [];
    return Object.values(object.data ?? {}).flatMap((file) =>
      (parse(file) as Groups).groups.flatMap(({ rules }) => rules),
    );
  });
}

for (const version of ["0.37.2", "0.42.4"]) {
  describe(`alerts with Thanos ${version}`, () => {
    const rules = rulesOf(`${fleetText("seven-nodes")}\nversions: { thanos: "${version}" }\n`);
    it("are PromQL, over metrics that somebody exposes", () => {
      expect(rules.length).toBeGreaterThan(30);
      const wrong = rules.flatMap(({ alert, record, expr }) => {
        const { names, fault } = queryMetrics(expr);
        const unknown = names.filter((name) => !recorded.has(name) && metricFacts(name, version) === undefined);
        return fault === undefined
          ? unknown.map((name) => `${alert ?? record}: ${name}`)
          : [`${alert ?? record}: ${fault}`];
      });
      expect(wrong).toEqual([]);
    });
    it("are about every region, every node with roles, and every role of which there are several", () => {
      const about = (alert: string) => rules.filter((rule) => rule.alert === alert).length;
      expect([about("PleiadRegionIncomplete"), about("PleiadNodeMemoryOverBudget")]).toEqual([4, 7]);
      const aboutOne = rules.filter(({ expr }) => expr.includes('service="regional-querier-a1"'));
      expect(aboutOne.map(({ alert }) => alert)).toEqual(["PleiadServiceDown", "PleiadReplicasDown"]);
    });
    it("no two ask the same", () => {
      expect(new Set(rules.map(({ expr }) => expr)).size).toBe(rules.length);
    });
  });
}
