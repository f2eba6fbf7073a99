import { lintFleet } from "@pleiad/findings";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import type { Fleet } from "@pleiad/fleet";
import { costOf } from "./cost.ts";
import { growthOf } from "./growth.ts";
import { reportOf } from "./report.ts";
import { fleetOf, planned, shippedFleet, shippedText } from "./shipped-fleet.testing.ts";

function reported(fleet: Fleet) {
  const plan = planned(fleet);
  const growth = growthOf(fleet, plan, { sizes: [fleet.clusters.length * 2], clustersPerMonth: 1 });
  return reportOf({ fleet, plan, findings: lintFleet({ fleet, plan }), cost: costOf(fleet), growth });
}

describe("a report", () => {
  const files = reported(shippedFleet("seven-nodes-as-designed"));
  const text = files.find(({ name }) => name === "README.md")?.text ?? "";

  it("shows every chart that it writes, and no other", () => {
    const shown = [...text.matchAll(/!\[[^\]]*\]\(([^)]*)\)/g)].map(([, name]) => name);
    expect(shown.sort()).toEqual(
      files
        .map(({ name }) => name)
        .filter((name) => name.endsWith(".svg"))
        .sort(),
    );
  });

  it("has rows as wide as their heads", () => {
    const tables = text.match(/(?:^\|.*\n)+/gm) ?? [];
    expect(tables.length).toBeGreaterThan(6);
    for (const table of tables) {
      const widths = table
        .trimEnd()
        .split("\n")
        .map((row) => row.replaceAll("\\|", "").split("|").length);
      expect(new Set(widths).size).toBe(1);
    }
  });

  it("draws only arrows between what it has drawn", () => {
    const diagram = /```mermaid\n(.*?)```/s.exec(text)?.[1] ?? "";
    const drawn = new Set([...diagram.matchAll(/^ +([\w-]+)[[(]/gm)].map(([, id]) => id));
    const ends = [...diagram.matchAll(/^ {2}([\w-]+) (?:-->|-\.->) ([\w-]+)$/gm)].flatMap(([, from, to]) => [from, to]);
    expect(ends.length).toBeGreaterThan(40);
    expect(ends.filter((id) => !drawn.has(id))).toEqual([]);
  });

  it("is the same, byte for byte, whatever the order of the file", () => {
    const root = parse(shippedText("laptop")) as Record<string, object>;
    const turned = {
      ...root,
      nodes: turn(root["nodes"]),
      groups: turn(root["groups"]),
      regions: turn(root["regions"]),
    };
    const withoutLines = (fleet: Fleet) =>
      reported(fleet).map(({ name, text }) => [
        name,
        text.replace(/^(\| (?:fatal|high|medium|low) \| [\w-]+ \|) \d+ /gm, "$1 "),
      ]);
    expect(withoutLines(fleetOf(stringify(turned)))).toEqual(withoutLines(fleetOf(stringify(root))));
  });
});

function turn(record: object | undefined): object {
  return Object.fromEntries(Object.entries(record ?? {}).reverse());
}
