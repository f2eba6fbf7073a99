import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changeCluster, type ClusterChange } from "./cluster-edit.ts";
import { readFleet } from "./fleet-file.ts";

const sevenNodes = readFileSync(new URL("../../../fleets/seven-nodes.yaml", import.meta.url), "utf8");
const laptop = readFileSync(new URL("../../../fleets/laptop.yaml", import.meta.url), "utf8");

/** Lines that differ, as `- old` and `+ new`. */
function changedLines(before: string, after: string): readonly string[] {
  const [old, now] = [before.split("\n"), after.split("\n")];
  return [
    ...old.filter((line) => !now.includes(line)).map((line) => `- ${line.trim()}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line.trim()}`),
  ];
}

function changed(text: string, change: ClusterChange) {
  const result = changeCluster(text, "fleet.yaml", change);
  if (!result.ok) throw new Error(result.failure.message);
  return result.value;
}

function membersOf(text: string): Readonly<Record<string, string>> {
  const fleet = readFleet(text, "fleet.yaml");
  if (!fleet.ok) throw new Error("the file cannot be read");
  return Object.fromEntries(fleet.value.clusters.map(({ name, group, region }) => [name, `${group} ${region}`]));
}

const cases: readonly [rule: string, text: string, change: ClusterChange, lines: readonly string[]][] = [
  [
    "the next number makes a range longer, the check sum with it",
    sevenNodes,
    { kind: "add", cluster: "cluster-221", group: "group-d" },
    [
      "- clusterCount: 220 # a check sum, optional: the file is refused when the groups below hold another number",
      "- clusters: cluster-{211..220}",
      "+ clusterCount: 221 # a check sum, optional: the file is refused when the groups below hold another number",
      "+ clusters: cluster-{211..221}",
    ],
  ],
  [
    "another name stands beside the range",
    laptop,
    { kind: "add", cluster: "kiosk", group: "shops", region: "east" },
    [
      "- clusters: shop-{01..08}",
      '- east: { clusters: "shop-{01..06}" }',
      '+ clusters: ["shop-{01..08}", kiosk]',
      '+ east: { clusters: ["shop-{01..06}", kiosk] }',
    ],
  ],
  [
    "without a region it joins the one that has its group already and the most room, or else the first",
    laptop,
    { kind: "add", cluster: "shop-09", group: "shops" },
    [
      "- clusters: shop-{01..08}",
      '- east: { clusters: "shop-{01..06}" }',
      "+ clusters: shop-{01..09}",
      '+ east: { clusters: ["shop-{01..06}", shop-09] }',
    ],
  ],
  ["a list grows by a line", laptop, { kind: "add", cluster: "depot", group: "backoffice" }, ["+ - depot"]],
  ["a list loses a line", laptop, { kind: "remove", cluster: "warehouse" }, ["- - warehouse"]],
  [
    "the end of a range makes it shorter",
    laptop,
    { kind: "remove", cluster: "office-3" },
    ["- - office-{1..3}", "+ - office-{1..2}"],
  ],
  [
    "the middle of a range parts it",
    laptop,
    { kind: "remove", cluster: "shop-03" },
    [
      "- clusters: shop-{01..08}",
      '- east: { clusters: "shop-{01..06}" }',
      '+ clusters: ["shop-{01..02}", "shop-{04..08}"]',
      '+ east: { clusters: ["shop-{01..02}", "shop-{04..06}"] }',
    ],
  ],
  [
    "what moves leaves one region and joins the other; its group stays",
    laptop,
    { kind: "move", cluster: "shop-06", region: "west" },
    [
      '- east: { clusters: "shop-{01..06}" }',
      '- west: { clusters: "shop-{07..08}", groups: [backoffice] }',
      '+ east: { clusters: "shop-{01..05}" }',
      '+ west: { clusters: "shop-{06..08}", groups: [backoffice] }',
    ],
  ],
];

describe("a changed fleet file", () => {
  for (const [rule, text, change, lines] of cases) {
    it(rule, () => {
      const { text: after } = changed(text, change);
      expect(changedLines(text, after)).toEqual(lines);
      const members = membersOf(after);
      expect(change.cluster in members).toBe(change.kind !== "remove");
      const others = (all: Readonly<Record<string, string>>) =>
        Object.entries(all).filter(([name]) => name !== change.cluster);
      expect(others(members)).toEqual(others(membersOf(text)));
    });
  }

  it("loses what was just added, and is the file from before, byte for byte", () => {
    const names = fc.oneof(
      fc
        .tuple(fc.constantFrom("shop-", "office-", "cluster-"), fc.integer({ min: 0, max: 230 }))
        .map(([a, b]) => `${a}${b}`),
      fc.integer({ min: 0, max: 300 }).map((number) => `cluster-${String(number).padStart(3, "0")}`),
      fc.integer({ min: 0, max: 12 }).map((number) => `shop-${String(number).padStart(2, "0")}`),
      fc.constantFrom("kiosk", "7-eleven", "a-{1..2}", "-"),
    );
    let added = 0;
    fc.assert(
      fc.property(fc.constantFrom(sevenNodes, laptop, compact), fc.nat(3), names, (text, index, cluster) => {
        const groups = [...new Set(Object.values(membersOf(text)).map((place) => place.split(" ")[0] ?? ""))];
        const group = groups[index % groups.length] ?? "";
        const after = changeCluster(text, "fleet.yaml", { kind: "add", cluster, group });
        if (!after.ok) return;
        added++;
        const back = changed(after.value.text, { kind: "remove", cluster });
        expect(back.text).toBe(text);
        expect(back.regionBefore).toBe(after.value.regionAfter);
      }),
      { numRuns: 60 },
    );
    expect(added).toBeGreaterThan(10);
  });

  it("keeps every other cluster where it was, whatever is taken out", () => {
    fc.assert(
      fc.property(fc.constantFrom(laptop, compact), fc.nat(100), (text, index) => {
        const members = membersOf(text);
        const cluster = Object.keys(members)[index % Object.keys(members).length] ?? "";
        const after = changeCluster(text, "fleet.yaml", { kind: "remove", cluster });
        if (!after.ok) return;
        const { [cluster]: gone, ...others } = members;
        expect(gone).toBeDefined();
        expect(membersOf(after.value.text)).toEqual(others);
      }),
      { numRuns: 40 },
    );
  });
});

/** The same in flow style, on few lines, with names in lists and a region that has its clusters by group. */
const compact = laptop
  .replace(
    / {4}clusters:\n {6}- office-\{1\.\.3\}\n {6}- warehouse\n/,
    "    clusters: [\"office-{1..3}\", warehouse, 'depot']\n",
  )
  .replace('clusters: "shop-{07..08}", groups', "clusters: ['shop-07', shop-08], groups");

describe("a file is not changed", () => {
  const refused: readonly [why: string, text: string, change: ClusterChange, message: RegExp][] = [
    ["for a cluster that is there", laptop, { kind: "add", cluster: "shop-01", group: "shops" }, /is there already/],
    ["for a group that is not", laptop, { kind: "add", cluster: "x", group: "shop" }, /no group shop: it has shops/],
    ["for a region that is not", laptop, { kind: "add", cluster: "x", group: "shops", region: "n" }, /no region n/],
    ["for a name that no cluster has", laptop, { kind: "add", cluster: "X", group: "shops" }, /a name of a-z/],
    ["to remove what is not there", laptop, { kind: "remove", cluster: "shop-1" }, /no cluster shop-1/],
    [
      "to move what its group holds",
      laptop,
      { kind: "move", cluster: "warehouse", region: "east" },
      /all of group backoffice belongs to region west/,
    ],
    [
      "into a region that is full",
      sevenNodes,
      { kind: "move", cluster: "cluster-001", region: "a2" },
      /a2: expected at most 60 clusters, found 61/,
    ],
    [
      "where no region has room",
      sevenNodes.replace(
        "groups: [group-b, group-c, group-d],",
        "groups: [group-b, group-c, group-d], clustersMax: 40,",
      ),
      { kind: "add", cluster: "cluster-999", group: "group-a" },
      /no region has room/,
    ],
  ];
  for (const [why, text, change, message] of refused) {
    it(why, () => {
      const result = changeCluster(text, "fleet.yaml", change);
      expect(result.ok ? result.value.regionAfter : result.failure.message).toMatch(message);
    });
  }
});
