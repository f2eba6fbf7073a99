/**
 * Who is asked, by the labels and the times of a question, through two tiers: a table over a small hierarchy, and random ones,
 * whose answers are those of hierarchies in which everybody is asked.
 */
import {
  collectSeries,
  labelsFromRecord,
  plainSelect,
  withLabels,
  type Labels,
  type Matcher,
  type SelectRequest,
  type SourceSeries,
} from "@pleiad/model";
import { seededRandom, type Random } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import type { EndpointSpec } from "./endpoint.ts";
import { createFanout, defaultFanout, type Fanout } from "./fanout.ts";
import { storeHandlers } from "./store-handlers.ts";
import { anyTime, type StoreIdentity } from "./store-identity.ts";
import { memorySource, seriesOf } from "./testing.ts";

const hourMs = 3_600_000;
const nowMs = 1_000 * hourMs;
const { signal } = new AbortController();

/** What a leaf has: hours of samples of some label sets; one that takes samples in announces all time to come. */
interface Leaf {
  readonly name: string;
  readonly parts: readonly {
    readonly external: Labels;
    readonly hours: readonly [from: number, to: number];
    readonly series: readonly SourceSeries[];
  }[];
  readonly isGrowing: boolean;
  /** Thanos before 0.31 tells of label sets and of one range of time; some tell of nothing. */
  readonly tells: "databases" | "labels" | "nothing";
}

const tellsNothing = { labelSets: [], ...anyTime, tsdbInfos: [] };

function identityOf({ parts, isGrowing, tells }: Leaf): StoreIdentity {
  const componentType = isGrowing ? "sidecar" : "store";
  if (tells === "nothing") return { componentType, ...tellsNothing };
  const tsdbInfos = parts.map(({ external: labels, hours: [from, to] }) => ({
    labels,
    minTimeMs: from * hourMs,
    maxTimeMs: isGrowing ? anyTime.maxTimeMs : to * hourMs,
  }));
  return {
    componentType,
    labelSets: parts.map(({ external }) => external),
    minTimeMs: Math.min(...tsdbInfos.map(({ minTimeMs }) => minTimeMs)),
    maxTimeMs: Math.max(...tsdbInfos.map(({ maxTimeMs }) => maxTimeMs)),
    tsdbInfos: tells === "databases" ? tsdbInfos : [],
  };
}

interface Hierarchy {
  readonly global: Fanout;
  /** Names of all who were asked for series since the last call, regions first. */
  asked(): readonly string[];
}

/** Leaves under regions under one fan-out. `isPruned`: they tell what they have; otherwise nobody tells anything. */
async function startHierarchy(regions: Readonly<Record<string, readonly Leaf[]>>, isPruned = true): Promise<Hierarchy> {
  const ports = testPorts({ startMs: nowMs });
  const options = { ...defaultFanout, replicaLabels: ["replica"] };
  const asked = new Map<string, Set<string>>([
    ["regions", new Set()],
    ["leaves", new Set()],
  ]);
  let port = 20_000;
  const serve = async (
    kind: "regions" | "leaves",
    name: string,
    source: Parameters<typeof storeHandlers>[0],
    identity: () => StoreIdentity,
  ): Promise<EndpointSpec> => {
    const address = `127.0.0.1:${port++}`;
    const counting: typeof source = {
      ...source,
      select(request, callSignal) {
        asked.get(kind)?.add(name);
        return source.select(request, callSignal);
      },
      labelNames: (request, callSignal) => source.labelNames(request, callSignal),
      labelValues: (label, request, callSignal) => source.labelValues(label, request, callSignal),
    };
    const told = () => (isPruned ? identity() : { ...identity(), ...tellsNothing });
    await ports.network.serveRpc(address, storeHandlers(counting, told));
    return { address, name, expects: [] };
  };
  const endpoints: EndpointSpec[] = [];
  for (const [name, leaves] of Object.entries(regions)) {
    const below: EndpointSpec[] = [];
    for (const leaf of leaves) {
      const source = memorySource(leaf.parts.flatMap(({ series }) => series));
      below.push(await serve("leaves", leaf.name, source, () => identityOf(leaf)));
    }
    const region = createFanout({ ...options, endpoints: below }, ports);
    await region.refresh();
    endpoints.push(await serve("regions", name, region, () => region.identity()));
  }
  const global = createFanout({ ...options, endpoints }, ports);
  await global.refresh();
  return {
    global,
    asked() {
      const names = [...asked.values()].flatMap((some) => [...some].toSorted());
      for (const some of asked.values()) some.clear();
      return names;
    },
  };
}

const samplesEvery = (fromHour: number, toHour: number, stepMs: number) =>
  Array.from(
    { length: Math.ceil(((toHour - fromHour) * hourMs) / stepMs) },
    (_, i) => [fromHour * hourMs + i * stepMs, i] as const,
  );

const partOf = (external: Readonly<Record<string, string>>, hours: readonly [number, number], names = ["up"]) => {
  const labels = labelsFromRecord(external);
  const samples = samplesEvery(...hours, 10 * 60_000);
  const series = names.map((name) => seriesOf(withLabels(labelsFromRecord({ __name__: name }), labels), samples));
  return { external: labels, hours, series };
};

describe("who is asked", () => {
  const agent = (cluster: string, region: string, from = 990): Leaf => ({
    name: cluster,
    parts: [partOf({ cluster, region, replica: "0" }, [from, 1_000])],
    isGrowing: true,
    tells: "databases",
  });
  const gateway = (name: string, parts: Leaf["parts"]): Leaf => ({ name, parts, isGrowing: false, tells: "databases" });
  const regions = {
    r1: [
      agent("c1", "r1"),
      agent("c2", "r1", 996),
      gateway("blocks-r1", [
        partOf({ cluster: "c1", region: "r1", replica: "0" }, [900, 994]),
        partOf({ cluster: "c2", region: "r1", replica: "0" }, [950, 998]),
      ]),
    ],
    r2: [
      agent("c3", "r2"),
      gateway("blocks-r2", [
        partOf({ cluster: "c3", region: "r2", replica: "0" }, [800, 850]),
        partOf({ cluster: "c3", region: "r2", replica: "0" }, [900, 998]),
      ]),
      { name: "rules", parts: [partOf({ ruler: "main" }, [980, 1_000])], isGrowing: true, tells: "databases" },
      { name: "unknown", parts: [partOf({}, [999, 1_000], ["odd"])], isGrowing: true, tells: "nothing" },
    ] satisfies readonly Leaf[],
  };
  const always: readonly [number, number] = [0, 1_000];
  const of = (type: Matcher["type"], name: string, value: string): Matcher => ({ type, name, value });

  for (const [rule, matchers, hours, asked] of [
    [
      "everybody who has the time, where no label is named",
      [],
      [997, 1_000],
      ["r1", "r2", "blocks-r1", "blocks-r2", "c1", "c2", "c3", "rules", "unknown"],
    ],
    [
      "a label of series says nothing",
      [of("=", "job", "node")],
      [999, 1_000],
      ["r1", "r2", "c1", "c2", "c3", "rules", "unknown"],
    ],
    [
      "one cluster: who has it, who has no such label, and who tells nothing",
      [of("=", "cluster", "c1")],
      always,
      ["r1", "r2", "blocks-r1", "c1", "rules", "unknown"],
    ],
    [
      "two clusters by an expression",
      [of("=~", "cluster", "c[13]")],
      always,
      ["r1", "r2", "blocks-r1", "blocks-r2", "c1", "c3", "rules", "unknown"],
    ],
    ["all but some", [of("!~", "cluster", "c1|c2")], always, ["r2", "blocks-r2", "c3", "rules", "unknown"]],
    ["all but one", [of("!=", "cluster", "c3")], always, ["r1", "r2", "blocks-r1", "c1", "c2", "rules", "unknown"]],
    [
      "a region, and a cluster of another one",
      [of("=", "region", "r1"), of("=", "cluster", "c3")],
      always,
      ["r2", "rules", "unknown"],
    ],
    [
      "no cluster at all: only who may have series without one",
      [of("=", "cluster", "")],
      always,
      ["r2", "rules", "unknown"],
    ],
    ["a cluster that nobody has", [of("=", "cluster", "c9")], always, ["r2", "rules", "unknown"]],
    ["a replica: it is a label like others", [of("=", "replica", "1")], always, ["r2", "rules", "unknown"]],
    [
      "old times: blocks, and not those whose agents begin later",
      [of("=", "region", "r1")],
      [910, 920],
      ["r1", "r2", "blocks-r1", "unknown"],
    ],
    ["times between two stretches of blocks", [of("=", "cluster", "c3")], [860, 890], ["r2", "unknown"]],
    ["the time of a cluster, not of its gateway", [of("=", "cluster", "c2")], [910, 920], ["r2", "unknown"]],
    [
      "a cluster's own beginning",
      [of("=", "cluster", "c2")],
      [994, 995],
      ["r1", "r2", "blocks-r1", "rules", "unknown"],
    ],
    ["after the last block", [of("=", "cluster", "c1")], [995, 1_000], ["r1", "r2", "c1", "rules", "unknown"]],
    [
      "samples that came since they told",
      [of("=", "cluster", "c1")],
      [1_000, 1_001],
      ["r1", "r2", "c1", "rules", "unknown"],
    ],
    ["before all samples", [], [1, 2], ["r2", "unknown"]],
  ] satisfies readonly (readonly [string, readonly Matcher[], readonly [number, number], readonly string[]])[]) {
    it(rule, async () => {
      const hierarchy = await startHierarchy(regions);
      const [from, to] = hours;
      const request = { ...plainSelect, matchers, minTimeMs: from * hourMs, maxTimeMs: to * hourMs };
      const { failure, warnings } = await collectSeries(hierarchy.global.select(request, signal));
      expect({ failure, warnings }).toEqual({ failure: undefined, warnings: [] });
      expect(hierarchy.asked()).toEqual(asked);
    });
  }
});

describe("a hierarchy that prunes answers as one that asks everybody", () => {
  const pick = <T>(random: Random, some: readonly T[]): T => some[random.int(some.length)] as T;

  /** Agents, receivers with tenants, gateways; some clusters in several of them, some leaves that tell less than others. */
  function madeUpRegions(random: Random): Readonly<Record<string, readonly Leaf[]>> {
    const regions: Record<string, readonly Leaf[]> = {};
    for (let r = 0; r < 1 + random.int(3); r++) {
      const region = `r${r}`;
      regions[region] = Array.from({ length: 1 + random.int(4) }, (_, l) => {
        const isGrowing = random.int(2) === 0;
        const parts = Array.from({ length: 1 + random.int(3) }, () => {
          const external: Record<string, string> = { cluster: `c${random.int(4)}`, replica: `${random.int(2)}` };
          if (random.int(4) > 0) external["region"] = region;
          if (random.int(6) === 0) delete external["cluster"];
          const from = 980 + random.int(18);
          const to = isGrowing ? 1_000 : Math.min(1_000, from + 1 + random.int(8));
          return partOf(external, [from, to], ["up", "load"].slice(0, 1 + random.int(2)));
        });
        const tells = pick(random, ["databases", "databases", "databases", "labels", "nothing"] as const);
        return { name: `${region}-${l}`, parts, isGrowing, tells };
      });
    }
    return regions;
  }

  function madeUpQuestion(
    random: Random,
  ): Pick<SelectRequest, "matchers" | "minTimeMs" | "maxTimeMs" | "withoutLabels"> {
    const matchers = Array.from({ length: random.int(4) }, (): Matcher => {
      const name = pick(random, ["cluster", "region", "replica", "__name__"]);
      const values =
        { cluster: ["c0", "c1", "c9", ""], region: ["r0", "r1", ""], replica: ["0", "1"], __name__: ["up", "load"] }[
          name
        ] ?? [];
      const type = pick(random, ["=", "!=", "=~", "!~"] as const);
      const value = pick(random, values);
      return { type, name, value: type.endsWith("~") ? `${value}|${pick(random, values)}` : value };
    });
    const from = 978 + random.int(24);
    return {
      matchers,
      minTimeMs: from * hourMs + random.int(hourMs),
      maxTimeMs: (from + random.int(6)) * hourMs + hourMs,
      withoutLabels: random.int(2) === 0 ? ["replica"] : [],
    };
  }

  for (let seed = 1; seed <= 20; seed++) {
    it(`in the hierarchy of seed ${seed}`, async () => {
      const random = seededRandom(seed);
      const regions = madeUpRegions(random);
      const [pruned, whole] = [await startHierarchy(regions), await startHierarchy(regions, false)];
      let seriesCount = 0;
      for (let number = 0; number < 20; number++) {
        const question = madeUpQuestion(random);
        const request = { ...plainSelect, ...question };
        const shown = { seed, number, question };
        const [some, all] = [
          await collectSeries(pruned.global.select(request, signal)),
          await collectSeries(whole.global.select(request, signal)),
        ];
        expect({ shown, ...some }).toEqual({ shown, ...all });
        seriesCount += all.series.length;
        const labels = { ...request, limit: 0 };
        expect({ shown, answer: await pruned.global.labelValues("cluster", labels, signal) }).toEqual({
          shown,
          answer: await whole.global.labelValues("cluster", labels, signal),
        });
        const [askedSome, askedAll] = [pruned.asked(), whole.asked()];
        expect(askedAll.length).toBe(Object.keys(regions).length + Object.values(regions).flat().length);
        expect({ shown, tooMany: askedSome.filter((name) => !askedAll.includes(name)) }).toEqual({
          shown,
          tooMany: [],
        });
      }
    });
  }
});
