/**
 * What a fleet costs a month: the lines that its file has prices for, what it would cost to monitor each cluster alone,
 * and what usual tables of costs leave out. Every line is rounded to the cent, and sums are of rounded lines, so that
 * they can be added up by hand.
 */
import type { CapacityModel, Measured } from "@pleiad/capacity";
import { capacityOf, type Fleet, type FleetObjectStorage } from "@pleiad/fleet";
import { roundToCent } from "./money.ts";

export interface CostLine {
  readonly item: string;
  readonly amount: number;
  readonly unit: string; // of the amount: `nodes`, `GB`
  readonly priceMicros: number; // of one a month; 0 where there are several prices
  readonly sumMicros: number;
}

/** Both ways of monitoring, with the same lines counted on both sides or not. */
export interface CostComparison {
  readonly counted: string; // what is in it
  readonly togetherMicros: number;
  readonly aloneMicros: number;
  readonly savedMicros: number; // below zero where together costs more
  readonly savedRatio: number; // of what it costs alone; 0 where that is nothing
  readonly isFair: boolean; // the same kinds of lines on both sides
}

export interface CostScenario {
  readonly name: string;
  readonly change: string; // of the file, in words
  readonly storageMicros: number;
  readonly requestMicros: number;
  readonly infrastructureMicros: number; // nodes, network, storage and requests
  readonly perClusterMicros: number;
}

export interface Cost {
  readonly currency: string;
  readonly lines: readonly CostLine[];
  readonly infrastructureMicros: number; // all lines but staff
  readonly totalMicros: number;
  readonly clusterCount: number;
  readonly seriesCount: number;
  readonly perClusterMicros: number; // of the total
  readonly perMillionSeriesMicros: number;
  readonly comparisons: readonly CostComparison[];
  readonly leftOut: readonly CostLine[]; // what the lines above do not count
  readonly scenarios: readonly CostScenario[];
}

/** `measured`: values in place of the capacity model's own. */
export function costOf(fleet: Fleet, measured?: Measured): Cost {
  const capacity = capacityOf(fleet, measured);
  const infrastructure = [...nodeLines(fleet), ...storageLines(fleet, capacity), ...networkLines(fleet)];
  const lines = [...infrastructure, ...staffLines(fleet)];
  const infrastructureMicros = sumOf(infrastructure);
  const totalMicros = sumOf(lines);
  const clusterCount = fleet.clusters.length;
  const seriesCount = fleet.clusters.reduce((sum, { series }) => sum + series, 0);
  return {
    currency: fleet.prices.currency,
    lines,
    infrastructureMicros,
    totalMicros,
    clusterCount,
    seriesCount,
    perClusterMicros: roundToCent(totalMicros / clusterCount),
    perMillionSeriesMicros: seriesCount === 0 ? 0 : roundToCent((totalMicros / seriesCount) * 1e6),
    comparisons: comparisonsOf(fleet, infrastructureMicros),
    leftOut: leftOutOf(fleet, capacity, lines),
    scenarios: scenariosOf(fleet, measured),
  };
}

/** A line for each price that nodes have. */
function nodeLines({ nodes }: Fleet): readonly CostLine[] {
  const byPrice = Map.groupBy(nodes, ({ priceMicrosMonth }) => priceMicrosMonth);
  return [...byPrice]
    .sort(([a], [b]) => b - a)
    .map(([price, some]) => line("monitoring nodes", some.length, "nodes", price));
}

function storageLines({ objectStorage, prices }: Fleet, capacity: CapacityModel): readonly CostLine[] {
  if (objectStorage === undefined) return [];
  if (objectStorage.priceMicrosMonth !== undefined) {
    return [line("object storage", 1, "flat", objectStorage.priceMicrosMonth)];
  }
  return [line("object storage", gigabytesStored(objectStorage, capacity), "GB", prices.storageMicrosGigabyteMonth)];
}

function networkLines({ prices }: Fleet): readonly CostLine[] {
  return [line("network", 1, "flat", prices.networkMicrosMonth)];
}

function staffLines({ staff }: Fleet): readonly CostLine[] {
  return staff === undefined ? [] : [line("staff", staff.people, "people", staff.priceMicrosMonth)];
}

function comparisonsOf({ clusters, prices, staff }: Fleet, infrastructureMicros: number): readonly CostComparison[] {
  const alone = clusters.length * prices.clusterAloneMicrosMonth;
  const own = comparison("infrastructure alone", infrastructureMicros, alone, true);
  if (staff === undefined) return [own];
  const together = roundToCent(staff.people * staff.priceMicrosMonth);
  const apart = roundToCent(staff.peopleAlone * staff.priceMicrosMonth);
  return [
    own,
    comparison("staff on both sides", infrastructureMicros + together, alone + apart, true),
    comparison("staff on this side only", infrastructureMicros + together, alone, false),
  ];
}

function comparison(counted: string, togetherMicros: number, aloneMicros: number, isFair: boolean): CostComparison {
  const savedMicros = aloneMicros - togetherMicros;
  const savedRatio = aloneMicros === 0 ? 0 : savedMicros / aloneMicros;
  return { counted, togetherMicros, aloneMicros, savedMicros, savedRatio, isFair };
}

/** What the model says the bucket will hold and be asked, at list prices, beyond what the lines count. */
function leftOutOf(fleet: Fleet, capacity: CapacityModel, lines: readonly CostLine[]): readonly CostLine[] {
  const { objectStorage, prices } = fleet;
  if (objectStorage === undefined) return [];
  const value = (name: string) => capacity.fleet.figure(name).value;
  const reads = value("object-store.reads") * daysPerMonth;
  const writes = value("object-store.writes") * daysPerMonth;
  const stored = gigabytesStored(objectStorage, capacity);
  const counted = lines.find(({ item }) => item === "object storage")?.sumMicros ?? 0;
  const modelled = roundToCent(stored * prices.storageMicrosGigabyteMonth);
  const replicated = replicaShare(fleet) * stored;
  // A store of one's own answers requests for nothing; what they are worth is a reason to have one.
  const at = objectStorage.kind === "external" ? "" : " at S3's price";
  return [
    line(`reads${at}`, reads / 1000, "thousands", prices.readMicrosThousand),
    line(`writes${at}`, writes / 1000, "thousands", prices.writeMicrosThousand),
    ...(modelled > counted
      ? [
          {
            ...line("storage beyond that line", stored, "GB in all", prices.storageMicrosGigabyteMonth),
            sumMicros: modelled - counted,
          },
        ]
      : []),
    ...(replicated === 0
      ? []
      : [line("of the storage: second replicas", replicated, "GB", prices.storageMicrosGigabyteMonth)]),
  ];
}

/** The share of what is stored that a second replica of the same samples takes. */
function replicaShare({ clusters, objectStorage }: Fleet): number {
  if (objectStorage === undefined || objectStorage.isDeduplicated) return 0;
  const rate = (replicas: (one: Fleet["clusters"][number]) => number) =>
    clusters.reduce((sum, one) => sum + (one.series / one.scrapeIntervalMs) * replicas(one), 0);
  const all = rate(({ prometheusReplicas }) => prometheusReplicas);
  return all === 0 ? 0 : 1 - rate(() => 1) / all;
}

/** The same fleet under other decisions on its storage, at list prices throughout: flat prices would hide them. */
function scenariosOf(fleet: Fleet, measured: Measured | undefined): readonly CostScenario[] {
  const { objectStorage } = fleet;
  if (objectStorage === undefined) return [];
  const hour = 3_600_000;
  const changes: readonly (readonly [string, string, Partial<FleetObjectStorage>])[] = [
    ["as it is", "none", {}],
    ["blocks found by listing", "objectStorage.discovery: recursive", { blockDiscovery: "recursive" }],
    ["blocks found one by one", "objectStorage.discovery: concurrent", { blockDiscovery: "concurrent" }],
    [
      "three months of all",
      'retention: { raw: 90d, "5m": 90d, "1h": 90d }',
      { retention: { rawMs: 2160 * hour, fiveMinutesMs: 2160 * hour, oneHourMs: 2160 * hour } },
    ],
    [
      "coarser with age",
      'retention: { raw: 30d, "5m": 180d, "1h": 1y }',
      { retention: { rawMs: 720 * hour, fiveMinutesMs: 4320 * hour, oneHourMs: 8760 * hour } },
    ],
    ["replicas merged", "objectStorage.deduplicate: true", { isDeduplicated: true }],
  ];
  const [asItIs, ...others] = changes.map(([name, change, some]) =>
    scenario(name, change, { ...fleet, objectStorage: { ...objectStorage, ...some } }, measured),
  );
  if (asItIs === undefined) return [];
  // A decision that the file has taken already makes no difference.
  const isOther = ({ storageMicros, requestMicros }: CostScenario) =>
    storageMicros !== asItIs.storageMicros || requestMicros !== asItIs.requestMicros;
  return [asItIs, ...others.filter(isOther)];
}

function scenario(name: string, change: string, fleet: Fleet, measured: Measured | undefined): CostScenario {
  const capacity = capacityOf(fleet, measured);
  const { objectStorage, prices } = fleet;
  const value = (figure: string) => capacity.fleet.figure(figure).value;
  const stored = objectStorage === undefined ? 0 : gigabytesStored(objectStorage, capacity);
  const storageMicros = roundToCent(stored * prices.storageMicrosGigabyteMonth);
  const requestMicros = roundToCent(
    (daysPerMonth / 1000) *
      (value("object-store.reads") * prices.readMicrosThousand +
        value("object-store.writes") * prices.writeMicrosThousand),
  );
  const infrastructureMicros = sumOf([...nodeLines(fleet), ...networkLines(fleet)]) + storageMicros + requestMicros;
  return {
    name,
    change,
    storageMicros,
    requestMicros,
    infrastructureMicros,
    perClusterMicros: roundToCent(infrastructureMicros / fleet.clusters.length),
  };
}

/** No more than the bucket holds: what does not fit is not stored, and a finding. */
function gigabytesStored({ capacityBytes }: FleetObjectStorage, capacity: CapacityModel): number {
  return Math.min(capacity.fleet.figure("bucket.bytes").value, capacityBytes) / 1e9;
}

const daysPerMonth = 30;

function line(item: string, amount: number, unit: string, priceMicros: number): CostLine {
  return { item, amount, unit, priceMicros, sumMicros: roundToCent(amount * priceMicros) };
}

function sumOf(lines: readonly CostLine[]): number {
  return lines.reduce((sum, { sumMicros }) => sum + sumMicros, 0);
}
