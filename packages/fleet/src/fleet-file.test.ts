import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFleet } from "./fleet-file.ts";
import { fleetJsonSchema, type SchemaNode } from "./fleet-schema.ts";
import { planFleet } from "./planner.ts";
import { fleetProblemCodes } from "./problems.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const small = readFileSync(new URL("../testdata/small.yaml", import.meta.url), "utf8");

function fleetOf(text: string) {
  const fleet = readFleet(text, "f.yaml");
  if (!fleet.ok) throw new Error(JSON.stringify(fleet.failure.problems));
  return fleet.value;
}

describe("a fleet file becomes a fleet", () => {
  it("what is left out has its default", () => {
    const fleet = fleetOf(small);
    expect(fleet.replicaLabels).toEqual(["replica"]);
    expect(fleet.policies.spreadReplicas).toBe(true);
    expect(fleet.twin).toEqual({
      basePort: 19_000,
      backfillMs: 7_200_000,
      retentionMs: 21_600_000,
      historyMs: 86_400_000,
      historyIntervalMs: undefined,
    });
    expect(fleet.clusters[0]).toEqual({
      name: "office-1",
      number: 1,
      group: "offices",
      region: "west",
      importance: "medium",
      externalLabels: { cluster: "office-1", cluster_group: "offices", region: "west", replica: "0" },
      series: 10_000,
      churnPerHour: 0.01,
      prometheusReplicas: 1,
      ingest: "pull",
      availability: 0.999,
      twinSeries: 100,
      scrapeIntervalMs: 30_000,
      retentionMs: 172_800_000,
      targets: [],
    });
  });

  it("a group changes the defaults for its clusters alone", () => {
    const { clusters } = fleetOf(
      small.replace(
        "    series: 20k",
        "    series: 20k\n    scrapeInterval: 15s\n    retention: 3h\n    twinSeries: 7",
      ),
    );
    expect(clusters.find(({ name }) => name === "shop-01")).toMatchObject({
      scrapeIntervalMs: 15_000,
      retentionMs: 10_800_000,
      twinSeries: 7,
    });
    expect(clusters.find(({ name }) => name === "office-1")).toMatchObject({ scrapeIntervalMs: 30_000 });
  });

  it("makes up a share of the series, of the smallest cluster too", () => {
    for (const [series, twinSeries] of [
      ["20k", 200],
      ["40", 1],
      ["0", 0],
    ] as const) {
      const { clusters } = fleetOf(small.replace("series: 10k", `series: ${series}`));
      expect(clusters.find(({ name }) => name === "office-1")).toMatchObject({ twinSeries });
    }
  });

  it("real targets may name the cluster, and may be all that there is", () => {
    const { clusters } = fleetOf(
      small.replace(
        "    series: 10k",
        '    series: 10k\n    twinSeries: 0\n    targets:\n      - { job: node, url: "http://${cluster}.example:9100/metrics" }',
      ),
    );
    expect(clusters[2]).toMatchObject({
      name: "office-3",
      twinSeries: 0,
      targets: [{ job: "node", url: "http://office-3.example:9100/metrics" }],
    });
  });

  it("nodes that are alike are a range", () => {
    const { nodes } = fleetOf(small.replace(/ {2}node-2: (.*)\n {2}node-3: .*\n/, "  node-{02..11}: $1\n"));
    expect(nodes.map(({ name }) => name).join(" ")).toBe(
      "node-1 node-02 node-03 node-04 node-05 node-06 node-07 node-08 node-09 node-10 node-11",
    );
    expect(new Set(nodes.slice(1).map(({ tier, cpuMillicores }) => `${tier} ${cpuMillicores}`))).toEqual(
      new Set(["2 4000"]),
    );
  });

  it("lists and ranges of clusters may be mixed", () => {
    const { clusters } = fleetOf(
      small.replace("clusters: office-{1..4}", "clusters:\n      - headquarters\n      - office-{2..3}"),
    );
    expect(clusters.filter(({ group }) => group === "offices").map(({ name }) => name)).toEqual([
      "headquarters",
      "office-2",
      "office-3",
    ]);
  });

  it("labels that differ only in a replica label do not tell clusters apart, others do", () => {
    const labels = (text: string) => small.replace("nodes:", `externalLabels: { ${text} }\nnodes:`);
    expect(readFleet(labels('id: "${cluster}"'), "f.yaml").ok).toBe(true);
    expect(readFleet(labels('replica: "${cluster}"'), "f.yaml")).toMatchObject({
      failure: { problems: [{ code: "LABEL_COLLISION" }] },
    });
  });
});

describe("all problems in one run", () => {
  it("by position", () => {
    const text = small.replace("name: small", "name: Small").replaceAll("cores: 4", "cores: 4c").replace("1Ti", "1T");
    const fleet = readFleet(text, "f.yaml");
    expect(fleet.ok ? [] : fleet.failure.problems.map(({ line, code }) => [line, code])).toEqual([
      [2, "NAME_DNS"],
      [4, "CPU"],
      [5, "CPU"],
      [6, "CPU"],
    ]);
  });

  it("a hundred at most, and the number of the others", () => {
    const nodes = Array.from({ length: 130 }, (_, i) => `  n${i}: {}\n`).join("");
    const fleet = readFleet(`nodes:\n${nodes}`, "f.yaml");
    if (fleet.ok) throw new Error("read");
    expect(fleet.failure.problems).toHaveLength(100);
    // Six keys of each node are missing, and four sections of the file.
    expect(fleet.failure.omitted).toBe(130 * 6 + 4 - 100);
  });
});

it("any two edits of a good file give a plan or a problem with a place in the file, never an exception", () => {
  const edit = fc.record({
    at: fc.nat({ max: small.length - 1 }),
    length: fc.nat({ max: 4 }),
    text: fc.constantFrom(
      "",
      " ",
      "\n",
      "\t",
      "0",
      "-",
      "x",
      ":",
      "{",
      "}",
      "[",
      "]",
      '"',
      "null",
      "1e9",
      "__proto__: 1\n",
      "é",
    ),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 2 }), (edits) => {
      let text = small;
      for (const { at, length, text: inserted } of edits) text = text.slice(0, at) + inserted + text.slice(at + length);
      const lines = text.split("\n");
      const fleet = readFleet(text, "f.yaml");
      const plan = fleet.ok ? planFleet(fleet.value) : fleet;
      if (plan.ok) return;
      expect(plan.failure.problems.length).toBeGreaterThan(0);
      for (const { code, line, column } of plan.failure.problems) {
        expect(Object.keys(fleetProblemCodes)).toContain(code);
        expect(line).toBeLessThanOrEqual(lines.length);
        expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
      }
    }),
    { numRuns: 300 },
  );
});

describe("the shape, for editors and in the guide", () => {
  const schema = fleetJsonSchema() as SchemaNode;

  it("the JSON Schema has every key, refuses others, and says which must be there", () => {
    expect(schema).toMatchObject({
      title: "Pleiad fleet file",
      type: "object",
      additionalProperties: false,
      required: ["version", "name", "nodes", "groups", "roles"],
    });
    expect(Object.keys(schema.properties?.["twin"]?.properties ?? {})).toEqual([
      "basePort",
      "backfill",
      "retention",
      "history",
      "historyInterval",
      "seriesScale",
    ]);
  });

  it("is published beside the fleets that ship: pleiad schema > fleets/fleet.schema.json", () => {
    expect(JSON.parse(read("fleets/fleet.schema.json"))).toEqual(JSON.parse(JSON.stringify(schema)));
  });

  it("the guide explains every key and every code", () => {
    const guide = read("docs/guide/fleet-file.md");
    const missing = [...keysOf(schema), ...Object.keys(fleetProblemCodes)].filter(
      (word) => !guide.includes(`\`${word}\``),
    );
    expect(missing).toEqual([]);
  });
});

function keysOf({ properties = {}, additionalProperties, items }: SchemaNode): readonly string[] {
  const below = [...Object.values(properties), items, additionalProperties].flatMap((node) =>
    typeof node === "object" ? keysOf(node) : [],
  );
  return [...Object.keys(properties), ...below];
}
