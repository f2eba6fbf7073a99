/**
 * The shape of a fleet file, version 1: keys, types, bounds, defaults. What the keys mean together is checked where a
 * fleet is made of them (`fleet-file.ts`) and planned (`planner.ts`). The guide is docs/guide/fleet-file.md.
 */
import * as z from "zod";
import { fail, ok, type Result } from "@pleiad/model";
import { deploymentSchema } from "./deployment-schema.ts";
import { clustersMax } from "./cluster-range.ts";
import type { Mismatch } from "./problems.ts";
import {
  durationReader,
  readCount,
  readCpu,
  readNetworkRate,
  readPrice,
  readSize,
  type QuantityReader,
} from "./quantities.ts";

const second = 1000;
const hour = 3_600_000;
const day = 24 * hour;
const year = 365 * day;

const dnsLabelPattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/** A value with a reader of its own: its mismatch travels through zod as `params` of a custom issue. */
function readBy<T>(read: (value: unknown) => Result<T, Mismatch>, schema: Record<string, unknown>) {
  // The schema belongs to what goes in: on the whole pipe zod would drop its examples.
  return z
    .unknown()
    .meta(schema)
    .transform((value, context): T => {
      const result = read(value);
      if (result.ok) return result.value;
      context.issues.push({ code: "custom", input: value, message: result.failure.expected, params: result.failure });
      return z.NEVER;
    });
}

const cpu = () => readBy(readCpu, { type: ["number", "string"], examples: [4, 0.5, "500m"] });
const size = () => readBy(readSize, { type: "string", pattern: "^[0-9.]+[KMGTP]i$", examples: ["8Gi", "500Mi"] });
const networkRate = () => readBy(readNetworkRate, { type: "string", pattern: "bit/s$", examples: ["10Gbit/s"] });
const count = () => readBy(readCount, { type: ["integer", "string"], examples: [50_000, "50k", "1M"] });

function duration(leastMs: number, mostMs: number, examples: readonly string[]) {
  const read: QuantityReader = durationReader(leastMs, mostMs);
  return readBy(read, { type: "string", pattern: "^([0-9]+(ms|[smhdwy]))+$", examples });
}

/** One name or range, or a list of them, as the file has it. The texts are expanded later. */
export type NameEntries = string | readonly string[];

function nameEntries(): z.ZodType<NameEntries> {
  const isEntry = (value: unknown): value is string => typeof value === "string" && value !== "";
  const read = (value: unknown): Result<NameEntries, Mismatch> => {
    if (isEntry(value)) return ok(value);
    if (Array.isArray(value) && value.length > 0 && value.every(isEntry)) return ok(value);
    const hint = Array.isArray(value) && value.length > 0 ? "names are texts: put numbers in quotes" : undefined;
    return fail({ code: "TYPE", expected: "a name, a range such as cluster-{001..060}, or a list of these", hint });
  };
  const entry = { type: "string", examples: ["cluster-001", "cluster-{001..060}"] };
  return readBy(read, { anyOf: [entry, { type: "array", items: entry, minItems: 1 }] });
}

/** A mapping of names to `item`. Names are checked apart, so that one wrong name does not hide what is in it. */
const named = <T extends z.ZodType>(item: T, pattern = dnsLabelPattern) =>
  z.record(z.string().meta({ pattern }), item).meta({ minProperties: 1 });
const nameOrRangePattern = "^[a-z0-9]?[a-z0-9-]*(\\{[0-9]+\\.\\.[0-9]+\\})?[a-z0-9-]*$";

const price = (fallback: number) => readBy(readPrice, priceShape).prefault(fallback);
const priceShape = { type: "number", minimum: 0, examples: [200, 0.023] };
/** A share such as 0.1, at most `most`. */
const ratio = (most: number, fallback: number) => z.number().min(0).max(most).default(fallback);
const retention = () => duration(hour, 100 * year, ["30d", "1y"]).optional();

const tier = z.literal([1, 2, 3]);
const tiers = z.array(tier).min(1).max(3).optional();
const nodeNames = z.array(z.string()).min(1).max(64).optional();

/** What one role takes. `replicas` of a regional role are those of each region. */
const roleShape = {
  replicas: z.int().min(1).max(16).default(1),
  cpu: cpu().optional(),
  memory: size().optional(),
  disk: size().optional(),
  tiers,
};
const shards = z.int().min(1).max(64).optional();
const concurrency = z.int().min(1).max(64).optional();
const role = z.strictObject({ ...roleShape, on: nodeNames });
const regionalRole = z.strictObject(roleShape);

const storeGateway = role.extend({ shards });
const regionalStoreGateway = regionalRole.extend({ shards });
const compactor = role.extend({ shards, concurrency });

const version = (fallback: string) => z.string().max(40).default(fallback);

const target = z.strictObject({ job: z.string().min(1).max(100), url: z.string().min(1).max(2000) });

const labelTexts = z.record(z.string(), z.string().max(200));

export const fleetFileSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().meta({ pattern: dnsLabelPattern }),
  clusterCount: z.int().min(1).max(clustersMax).optional(),
  engine: z.enum(["thanos", "embedded"]).default("thanos"),
  queryMode: z.enum(["distributed", "fan-out"]).default("distributed"),
  deduplication: z.enum(["auto", "penalty", "chain"]).default("auto"),
  versions: z
    .strictObject({
      thanos: version("0.42.4"),
      prometheus: version("3.14.0"),
      alertmanager: version("0.34.0"),
      grafana: version("13.2.0"),
      kubePrometheusStack: version("88.5.3"),
    })
    .prefault({}),
  replicaLabels: z.array(z.string()).min(1).max(8).default(["replica"]),
  externalLabels: labelTexts.default({
    cluster: "${cluster}",
    cluster_group: "${group}",
    region: "${region}",
    replica: "${replica}",
  }),
  defaults: z
    .strictObject({
      scrapeInterval: duration(second, hour, ["30s"]).prefault("30s"),
      retention: duration(2 * hour, 10 * year, ["48h"]).prefault("48h"),
      churn: ratio(10, 0.01),
      prometheusReplicas: z.int().min(1).max(4).default(1),
      ingest: z.enum(["pull", "push"]).default("pull"),
      availability: ratio(1, 0.999),
    })
    .prefault({}),
  policies: z
    .strictObject({
      clustersPerRegionMax: z.int().min(1).max(10_000).default(60),
      regionsPerQuerierMax: z.int().min(2).max(1000).default(60),
      spreadReplicas: z.boolean().default(true),
      spreadZones: z.boolean().default(true),
      reserve: z.strictObject({ cpu: cpu().optional(), memory: size().optional() }).prefault({}),
      headroom: ratio(0.9, 0),
      nodesLostMax: z.int().min(0).max(3).default(1),
    })
    .prefault({}),
  nodes: named(
    z.strictObject({
      tier,
      role: z.string().meta({ pattern: dnsLabelPattern }),
      cores: cpu(),
      memory: size(),
      disk: size(),
      network: networkRate(),
      zone: z.string().meta({ pattern: dnsLabelPattern }).optional(),
      price: readBy(readPrice, priceShape).optional(),
    }),
    nameOrRangePattern,
  ),
  groups: named(
    z.strictObject({
      clusters: nameEntries(),
      count: z.int().min(1).max(clustersMax).optional(),
      importance: z.enum(["high", "medium", "low"]).default("medium"),
      series: count(),
      churn: z.number().min(0).max(10).optional(),
      prometheusReplicas: z.int().min(1).max(4).optional(),
      ingest: z.enum(["pull", "push"]).optional(),
      availability: z.number().min(0).max(1).optional(),
      scrapeInterval: duration(second, hour, ["30s"]).optional(),
      retention: duration(2 * hour, 10 * year, ["48h"]).optional(),
      twinSeries: count().optional(),
      targets: z.array(target).max(100).default([]),
    }),
  ),
  regions: named(
    z.strictObject({
      clusters: nameEntries().optional(),
      groups: z.array(z.string()).min(1).max(1000).optional(),
      clustersMax: z.int().min(1).max(10_000).optional(),
      on: nodeNames,
    }),
  ).optional(),
  roles: z.strictObject({
    "query-frontend": role.optional(),
    "global-querier": role,
    "super-regional-querier": regionalRole.optional(),
    "regional-querier": regionalRole,
    "leaf-querier": role.optional(),
    "global-store-gateway": storeGateway.optional(),
    "regional-store-gateway": regionalStoreGateway.optional(),
    receiver: regionalRole.optional(),
    compactor: compactor.optional(),
    ruler: role.optional(),
    alertmanager: role.optional(),
    grafana: role.optional(),
    "object-store": role.optional(),
    "object-store-console": role.optional(),
    "monitoring-agent": role.optional(),
  }),
  queryLoad: z
    .strictObject({
      perSecond: z.number().min(0).max(1_000_000).default(10),
      concurrent: z.int().min(1).max(100_000).default(20),
      concurrentPerQuerier: z.int().min(1).max(10_000).default(20),
      series: count().prefault("20k"),
      range: duration(second, 10 * year, ["6h"]).prefault("6h"),
      history: ratio(1, 0.2),
    })
    .prefault({}),
  objectStorage: z
    .strictObject({
      kind: z.enum(["external", "seaweedfs", "silo", "rook", "minio"]).optional(),
      bucket: z.string(),
      capacity: size(),
      retention: z.strictObject({ raw: retention(), "5m": retention(), "1h": retention() }).prefault({}),
      endpoint: z.string().min(1).max(300).optional(),
      discovery: z.enum(["recursive", "concurrent"]).default("recursive"),
      deduplicate: z.boolean().default(false),
      price: readBy(readPrice, priceShape).optional(),
    })
    .optional(),
  prices: z
    .strictObject({
      currency: z.string().min(1).max(10).default("USD"),
      node: price(200),
      storageGigabyte: price(0.023),
      thousandReads: price(0.0004),
      thousandWrites: price(0.005),
      network: price(150),
      clusterAlone: price(50),
    })
    .prefault({}),
  staff: z
    .strictObject({
      people: z.number().min(0).max(10_000),
      peopleAlone: z.number().min(0).max(10_000).optional(),
      price: price(5000),
    })
    .optional(),
  growth: z.strictObject({ clusters: z.number().min(0).max(clustersMax), series: ratio(10, 0) }).optional(),
  monitoring: z
    .strictObject({
      job: z.string().min(1).max(100).default("monitoring"),
      scrapeInterval: duration(second, hour, ["30s"]).optional(),
      externalLabels: labelTexts.default({ cluster: "monitoring", replica: "${replica}" }),
    })
    .optional(),
  deployment: deploymentSchema.optional(),
  accept: z
    .array(
      z.strictObject({
        finding: z
          .string()
          .min(1)
          .max(100)
          .meta({ examples: ["object-store-on-one-node"] }),
        at: z
          .string()
          .min(1)
          .max(300)
          .meta({ examples: ["roles.object-store"] })
          .optional(),
        reason: z.string().min(1).max(500),
      }),
    )
    .max(100)
    .default([]),
  twin: z
    .strictObject({
      basePort: z.int().min(1024).max(32_767).default(19_000),
      backfill: duration(0, 7 * day, ["2h"]).prefault("2h"),
      retention: duration(2 * hour, 30 * day, ["6h"]).prefault("6h"),
      history: duration(0, 90 * day, ["1d", "14d", "0s"]).prefault("1d"),
      historyInterval: duration(second, hour, ["2m"]).optional(),
      seriesScale: z.number().min(0).max(1).default(0.01),
    })
    .prefault({}),
});

/** A fleet file with every default filled in and every quantity a whole number. */
export type FleetFile = z.output<typeof fleetFileSchema>;

/** A node of the JSON Schema: the part of it that messages are made of. */
export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly examples?: readonly unknown[];
}

/** The shape as JSON Schema (2020-12), for editors. */
export function fleetJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(fleetFileSchema, { io: "input", unrepresentable: "any" }), title: "Pleiad fleet file" };
}

/** The schema of the value at a path below `root`; undefined where the file may have none. */
export function schemaAt(root: SchemaNode, path: readonly PropertyKey[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = root;
  for (const step of path) {
    if (node === undefined) return undefined;
    const { properties, additionalProperties, items }: SchemaNode = node;
    if (typeof step === "number") node = items;
    else if (properties !== undefined && Object.hasOwn(properties, step)) node = properties[String(step)];
    else node = typeof additionalProperties === "object" ? additionalProperties : undefined;
  }
  return node;
}
