/**
 * What a running twin shows of itself between two looks at its `/metrics`, set against the capacity model. Pure.
 *
 * The model is given the load that the twin really had, such as queries a second, the age of its bucket and how often its
 * gateways look; what it makes of that is held against what was seen.
 */
import { capacityOfTwin, type Fleet, type Plan, type PlannedRole, type RoleKind } from "@pleiad/fleet";
import { definitions, scopesAt, type CapacityModel, type Unit } from "@pleiad/capacity";
import { runsInTwin } from "@pleiad/twin";
import type { BucketSizes } from "./block-sizes.ts";
import type { MetricsPage } from "./metrics-page.ts";

/** Pages by the id of a role or the name of a process of clusters, all taken at about the same time. */
export interface TwinPages {
  readonly takenMs: number;
  readonly pages: ReadonlyMap<string, MetricsPage>;
}

export interface TwinReading {
  readonly before: TwinPages;
  readonly after: TwinPages;
  /** The most memory that each process had, by the name of the process. */
  readonly residentBytes: ReadonlyMap<string, number>;
  readonly bucket: BucketSizes | undefined; // undefined where the twin has no bucket
}

export interface MeasuredFigure {
  readonly figure: string;
  readonly scope: string;
  readonly value: number;
}

export interface ComparedFigure {
  readonly figure: string;
  readonly scope: string;
  readonly unit: Unit;
  readonly predicted: number;
  readonly measured: number;
  /** Predicted over measured, less one; undefined where nothing was measured to divide by. */
  readonly error: number | undefined;
}

export interface TwinComparison {
  readonly windowSeconds: number;
  readonly given: ReadonlyMap<string, number>; // inputs that say what load the twin had
  readonly constants: ReadonlyMap<string, number>; // inputs that hold for a production fleet too
  readonly figures: readonly ComparedFigure[];
}

const daySeconds = 86_400;
const blocksPerDay = 12; // of one stream
const requestsTotal = "thanos_objstore_bucket_operations_total";

export function compareTwin(fleet: Fleet, plan: Plan, reading: TwinReading): TwinComparison {
  const twin = new ReadTwin(plan, reading);
  const given = loadOf(twin);
  const model = capacityOfTwin(fleet, given);
  const figures = [
    // These were given to the model: what stands against them is what it takes them for otherwise.
    ...inputsCompared(capacityOfTwin(fleet), constantsOf(reading.bucket)),
    ...measuredFigures(twin, model).map((one) => comparedFigure(model, one)),
    ...processesCompared(twin, model),
  ];
  return { windowSeconds: twin.seconds, given, constants: constantsOf(reading.bucket), figures };
}

/** What of it stands in for defaults of the model, as a file that `--measured` of the planning commands takes. */
export function measuredText({ constants }: TwinComparison, fleetName: string): string {
  const lines = [...constants].map(([name, value]) => `${name}: ${Number(value.toPrecision(4))}\n`);
  return [
    `# Measured on the running twin of fleet ${fleetName}. What the twin was asked and how many series it makes up is its own\n`,
    "# alone, and is not here: this can stand in for the model's defaults in a plan of the whole fleet.\n",
    ...(lines.length === 0 ? ["{}\n"] : lines),
  ].join("");
}

/** The two readings, asked by roles. */
class ReadTwin {
  readonly plan: Plan;
  readonly reading: TwinReading;
  readonly seconds: number;

  constructor(plan: Plan, reading: TwinReading) {
    this.plan = plan;
    this.reading = reading;
    this.seconds = (reading.after.takenMs - reading.before.takenMs) / 1000;
  }

  /** Of what the twin runs. */
  roles(...kinds: readonly RoleKind[]): readonly PlannedRole[] {
    return this.plan.roles.filter((role) => kinds.includes(role.kind) && runsInTwin(role, this.plan));
  }

  now(ids: readonly string[], metric: string, labels?: Readonly<Record<string, string>>): number {
    return sum(ids.map((id) => this.reading.after.pages.get(id)?.sum(metric, labels) ?? 0));
  }

  /** A second, over the time between the two looks; a counter that began again counts from 0. */
  rate(ids: readonly string[], metric: string, labels?: Readonly<Record<string, string>>): number {
    const grown = ids.map((id) => {
      const before = this.reading.before.pages.get(id)?.sum(metric, labels) ?? 0;
      const after = this.reading.after.pages.get(id)?.sum(metric, labels) ?? 0;
      return after < before ? after : after - before;
    });
    return sum(grown) / this.seconds;
  }
}

/** What was asked of the twin and what its samples weigh, which no formula can know. */
function loadOf(twin: ReadTwin): ReadonlyMap<string, number> {
  const { bucket } = twin.reading;
  const queriers = idsOf(twin.roles("global-querier"));
  const gateways = idsOf(twin.roles("store-gateway"));
  const compactors = idsOf(twin.roles("compactor"));
  const syncs = "thanos_blocks_meta_syncs_total";
  const agents = idsOf(twin.roles("monitoring-agent"));
  const gate = "thanos_query_concurrent_gate_queries_in_flight";
  return new Map([
    ["queries.per-second", twin.rate(queriers, "thanos_query_concurrent_gate_queries_total")],
    ["queries.concurrent", twin.now(queriers, gate)],
    ...(twin.roles("ruler").length > 0 ? [] : [["ruler.replicas", 0] as const]),
    ...(agents.length === 0
      ? []
      : ([
          ["monitoring-agent.targets", 1],
          ["monitoring-agent.series", twin.now(agents, "prometheus_tsdb_head_series") / agents.length],
        ] as const)),
    ...(gateways.length === 0
      ? []
      : ([
          ["bucket.syncs", (twin.rate(gateways, syncs) * daySeconds) / gateways.length],
          ["store-gateway.caches", twin.now(gateways, "thanos_store_index_cache_total_size_bytes") / gateways.length],
        ] as const)),
    ...(compactors.length === 0 ? [] : [["compactor.syncs", twin.rate(compactors, syncs) * daySeconds] as const]),
    ...(bucket === undefined
      ? []
      : ([
          ["bucket.retention-raw", bucket.spanSeconds.raw],
          ["bucket.retention-five-minutes", bucket.spanSeconds.fiveMinutes],
          ["bucket.retention-one-hour", bucket.spanSeconds.oneHour],
        ] as const)),
    // What made-up values weigh is the twin's own, as its load is.
    ...constantsOf(bucket),
  ]);
}

/** What does not depend on the size of the fleet, and so can take the place of defaults in its plan. */
function constantsOf(bucket: BucketSizes | undefined): ReadonlyMap<string, number> {
  const found: readonly (readonly [string, number | undefined])[] = [
    ["blocks.chunk-bytes", bucket?.chunkBytesPerSample],
    ["blocks.index-bytes", bucket?.indexBytesPerSeries],
    ["blocks.raw-bytes", bucket?.rawBytesPerSample],
    ["blocks.five-minute-bytes", bucket?.fiveMinuteBytesPerPoint],
  ];
  return new Map(found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}

function inputsCompared(model: CapacityModel, constants: ReadonlyMap<string, number>): readonly ComparedFigure[] {
  return [...constants].map(([figure, value]) => comparedFigure(model, { figure, scope: model.fleet.name, value }));
}

function comparedFigure(model: CapacityModel, { figure, scope, value }: MeasuredFigure): ComparedFigure {
  const level = definitions.get(figure)?.level ?? "fleet";
  const found = scopesAt(model, level).find(({ name }) => name === scope);
  if (found === undefined) throw new Error(`the model has no ${scope} for ${figure}`);
  const { value: predicted, unit } = found.figure(figure);
  return compared(figure, scope, unit, predicted, value);
}

function compared(figure: string, scope: string, unit: Unit, predicted: number, measured: number): ComparedFigure {
  const error = measured > 0 ? predicted / measured - 1 : predicted === 0 ? 0 : undefined;
  return { figure, scope, unit, predicted, measured, error };
}

function measuredFigures(twin: ReadTwin, model: CapacityModel): readonly MeasuredFigure[] {
  return [
    ...samplesMeasured(twin, model),
    ...connectionsMeasured(twin, model),
    ...blocksMeasured(twin, model),
    ...requestsMeasured(twin, model),
  ];
}

/** The scrape rate is that of the window: one that is not many scrapes long has one more or less of them. */
function samplesMeasured(twin: ReadTwin, model: CapacityModel): readonly MeasuredFigure[] {
  const processes = agentProcesses(twin);
  const appended = "prometheus_tsdb_head_samples_appended_total";
  const regions = twin.plan.regions.map(({ name: scope, clusters }) => ({
    scope,
    series: sum(clusters.map((cluster) => twin.now(processes, "prometheus_tsdb_head_series", { cluster }))),
    rate: sum(clusters.map((cluster) => twin.rate(processes, appended, { cluster }))),
  }));
  return [
    { figure: "fleet.series", scope: model.fleet.name, value: sum(regions.map(({ series }) => series)) },
    { figure: "fleet.samples-rate", scope: model.fleet.name, value: sum(regions.map(({ rate }) => rate)) },
    ...regions.map(({ scope, rate }) => ({ figure: "region.samples-rate", scope, value: rate })),
  ];
}

/** Of one querier, the mean of its replicas. */
function connectionsMeasured(twin: ReadTwin, model: CapacityModel): readonly MeasuredFigure[] {
  const groups = [
    ["global-querier", model.fleet.name, twin.roles("global-querier")] as const,
    ...twin.plan.regions.map(
      ({ name }) =>
        ["regional-querier", name, twin.roles("regional-querier").filter(({ region }) => region === name)] as const,
    ),
  ];
  return groups.flatMap(([key, scope, roles]) => {
    const ids = idsOf(roles);
    if (ids.length === 0) return [];
    const connections = twin.now(ids, "thanos_store_nodes_grpc_connections") / ids.length;
    const requests =
      twin.rate(ids, "pleiad_store_client_requests_total", { method: "/thanos.info.Info/Info" }) / ids.length;
    return [
      { figure: `${key}.connections`, scope, value: connections },
      { figure: `${key}.info-requests`, scope, value: requests },
    ];
  });
}

function blocksMeasured(twin: ReadTwin, model: CapacityModel): readonly MeasuredFigure[] {
  const { bucket } = twin.reading;
  if (bucket === undefined) return [];
  const clusters = new Map(twin.plan.clusters.map((cluster) => [cluster.name, cluster]));
  const kinds = Map.groupBy(bucket.streams, (stream) => {
    const cluster = clusters.get(stream.cluster);
    return cluster === undefined ? "" : `${cluster.group} in ${cluster.region}`;
  });
  const blockBytes = [...kinds].flatMap(([scope, streams]) => {
    const sizes = streams.flatMap(({ wholeBlockBytesMean }) => wholeBlockBytesMean ?? []);
    return scope === "" || sizes.length === 0
      ? []
      : [{ figure: "prometheus.block-bytes", scope, value: sum(sizes) / sizes.length }];
  });
  const known = bucket.streams.flatMap(({ uploadedBytesPerDay }) => uploadedBytesPerDay ?? []);
  const gateways = idsOf(twin.roles("store-gateway"));
  const scope = model.fleet.name;
  return [
    ...blockBytes,
    // Of some streams alone it would look like less.
    ...(known.length < twin.plan.clusters.length ? [] : [{ figure: "object-store.upload", scope, value: sum(known) }]),
    { figure: "bucket.blocks", scope, value: bucket.blocks },
    ...(gateways.length === 0
      ? []
      : [
          {
            figure: "store-gateway.loaded-blocks",
            scope,
            value: twin.now(gateways, "thanos_bucket_store_blocks_loaded"),
          },
        ]),
  ];
}

/**
 * Requests that go on at all times are those of the window. Those of uploads and compactions come in bursts that a window
 * has or has not: these are counted since the processes began, and made a day's by the blocks that they were made for.
 */
function requestsMeasured(twin: ReadTwin, model: CapacityModel): readonly MeasuredFigure[] {
  const scope = model.fleet.name;
  const gateways = idsOf(twin.roles("store-gateway"));
  const compactors = idsOf(twin.roles("compactor"));
  const stores = idsOf(twin.roles("object-store"));
  const operations = (ids: readonly string[], operation: string) =>
    twin.rate(ids, requestsTotal, { operation }) * daySeconds;
  const pages = pagesPerLook(twin, [...gateways, ...compactors], stores);
  return [
    ...(gateways.length === 0
      ? []
      : [
          { figure: "store-gateway.list-requests", scope, value: operations(gateways, "iter") * pages },
          { figure: "store-gateway.head-requests", scope, value: operations(gateways, "attributes") },
        ]),
    ...(compactors.length === 0
      ? []
      : [{ figure: "compactor.list-requests", scope, value: operations(compactors, "iter") * pages }]),
    ...uploadRequests(twin, model),
    ...compactionRequests(twin, compactors, model),
    ...(stores.length === 0
      ? []
      : [{ figure: "object-store.requests-rate", scope, value: twin.rate(stores, "pleiad_s3_requests_total") }]),
  ];
}

/** A look is one operation to who looks, and a request a thousand objects to the store; 1 where none was counted. */
function pagesPerLook(twin: ReadTwin, lookers: readonly string[], stores: readonly string[]): number {
  const looks = twin.rate(lookers, requestsTotal, { operation: "iter" });
  const ofUploads = twin.rate(agentProcesses(twin), requestsTotal, { operation: "iter" });
  const lists = twin.rate(stores, "pleiad_s3_requests_total", { operation: "ListObjectsV2" });
  return looks > 0 && lists > ofUploads ? (lists - ofUploads) / looks : 1;
}

function agentProcesses(twin: ReadTwin): readonly string[] {
  return twin.plan.twin.clusterProcesses.map(({ name }) => name);
}

/** An upload is a HEAD, so that nothing is replaced, and a PUT; all other operations are a request each. */
function requestsSinceStart(twin: ReadTwin, ids: readonly string[]): number {
  return twin.now(ids, requestsTotal) + twin.now(ids, requestsTotal, { operation: "upload" });
}

/** Of agents: nobody else of their processes asks the bucket for anything. */
function uploadRequests(twin: ReadTwin, { fleet }: CapacityModel): readonly MeasuredFigure[] {
  const processes = agentProcesses(twin);
  const uploads = twin.now(processes, "thanos_shipper_uploads_total");
  if (uploads === 0) return [];
  const perBlock = requestsSinceStart(twin, processes) / uploads;
  const value = perBlock * blocksPerDay * fleet.figure("fleet.streams").value;
  return [{ figure: "object-store.upload-requests", scope: fleet.name, value }];
}

/** A block of two hours is merged once into 8 h, its quarter of that into 2 d, and its part of that into 14 d. */
const mergesPerBlock = 1 + 1 / 4 + 1 / 24;

/** Without looks at the bucket. What is downsampled besides is a small part of what is merged. */
function compactionRequests(
  twin: ReadTwin,
  compactors: readonly string[],
  { fleet }: CapacityModel,
): readonly MeasuredFigure[] {
  const merged = twin.now(compactors, "thanos_compact_blocks_marked_total", { reason: "compacted" });
  if (merged === 0) return [];
  const work = requestsSinceStart(twin, compactors) - twin.now(compactors, requestsTotal, { operation: "iter" });
  const blocks = blocksPerDay * fleet.figure("fleet.streams").value * mergesPerBlock;
  return [{ figure: "compactor.work-requests", scope: fleet.name, value: (work / merged) * blocks }];
}

/** What a role takes before it has anything to do. Roles of one process take it once, the largest of theirs. */
const baseMemoryOf: Readonly<Partial<Record<RoleKind, string>>> = {
  "query-frontend": "query-frontend.base-memory",
  "global-querier": "querier.base-memory",
  "regional-querier": "querier.base-memory",
  "store-gateway": "store-gateway.base-memory",
  compactor: "compactor.base-memory",
  "object-store": "object-store.base-memory",
  "monitoring-agent": "monitoring-agent.base-memory",
};

/** Memory by process: roles that share one cannot be told apart in it. */
function processesCompared(twin: ReadTwin, model: CapacityModel): readonly ComparedFigure[] {
  const { plan, reading } = twin;
  const nodes = plan.nodes.flatMap(({ name, roles }) => {
    const sizes = plan.roles
      .filter((role) => roles.includes(role.id) && runsInTwin(role, plan))
      .map((role) => roleMemory(role, model));
    return sizes.length === 0 ? [] : [{ name, predicted: sharedMemory(sizes) }];
  });
  const clusters = plan.twin.clusterProcesses.map(({ name, clusters: members }) => ({
    name,
    predicted: sharedMemory(members.map((member) => clusterMemory(member, plan, model))),
  }));
  return [...nodes, ...clusters].flatMap(({ name, predicted }) => {
    const measured = reading.residentBytes.get(name);
    return measured === undefined ? [] : [compared("memory of process", name, "bytes", predicted, measured)];
  });
}

interface MemorySize {
  readonly base: number;
  readonly whole: number;
}

function sharedMemory(sizes: readonly MemorySize[]): number {
  const base = sizes.reduce((most, one) => Math.max(most, one.base), 0);
  return base + sum(sizes.map((one) => one.whole - one.base));
}

function roleMemory({ kind, region }: PlannedRole, model: CapacityModel): MemorySize {
  const scope = model.regions.find(({ name }) => name === region) ?? model.fleet;
  const figure = `${roleKeyOf(kind, region)}.memory`;
  const base = baseMemoryOf[kind];
  return {
    base: base === undefined ? 0 : scope.figure(base).value,
    whole: scope.figure(figure).value,
  };
}

/** Of kinds that regions have their own of, what has no region goes by another name. */
function roleKeyOf(kind: RoleKind, region: string | undefined): string {
  if (kind === "store-gateway") return `${region === undefined ? "global" : "regional"}-store-gateway`;
  return kind === "regional-querier" && region === undefined ? "leaf-querier" : kind;
}

function clusterMemory(name: string, plan: Plan, model: CapacityModel): MemorySize {
  const cluster = plan.clusters.find((one) => one.name === name);
  const scopeName = `${cluster?.group} in ${cluster?.region}`;
  const scope = scopesAt(model, "clusters").find((one) => one.name === scopeName);
  if (scope === undefined) throw new Error(`the model has no ${scopeName}`);
  const headroom = scope.figure("prometheus.headroom").value;
  return {
    base: scope.figure("prometheus.base-memory").value * headroom,
    whole: scope.figure("prometheus.memory").value,
  };
}

function idsOf(roles: readonly PlannedRole[]): readonly string[] {
  return roles.map(({ id }) => id);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
