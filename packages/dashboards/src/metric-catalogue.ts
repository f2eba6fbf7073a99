/**
 * Metrics that the roles of a hierarchy expose, by version: a panel or an alert on any other would stay empty without a
 * word. `metric-families` has what the programs' own pages and sources say; here stands what nobody's page has.
 */
import { metricFamilies } from "./metric-families.ts";

export type MetricKind = "counter" | "gauge" | "histogram" | "summary";

export interface MetricFacts {
  readonly kind: MetricKind;
}

/** By name of the family: a histogram's without `_bucket`, `_sum` and `_count`. */
export type Families = ReadonlyMap<string, MetricFacts>;

/** Made by whoever scrapes or evaluates, and by exporters that stand beside the roles. */
const furtherFamilies = `
  up gauge
  scrape_duration_seconds gauge
  scrape_samples_scraped gauge
  ALERTS gauge
  certmanager_certificate_expiration_timestamp_seconds gauge
  x509_cert_not_after gauge
`;

/** By program and version, oldest first: what is listed is a change of the version before. */
const catalogue: ReadonlyMap<string, readonly (readonly [version: string, families: Families])[]> = new Map(
  Object.entries(metricFamilies).map(([program, versions]) => {
    let before: Families = new Map();
    return [
      program,
      Object.entries(versions).map(([version, changes]: [string, string]) => {
        before = changed(before, changes);
        return [version, before] as const;
      }),
    ] as const;
  }),
);
const further = changed(new Map(), furtherFamilies);

/** What a version of a program exposes: of the newest that is known and no newer. None where all that are known are newer. */
export function familiesOf(program: keyof typeof metricFamilies, version: string): Families {
  const known = catalogue.get(program)?.filter(([one]) => minorOf(one) <= minorOf(version));
  return known?.at(-1)?.[1] ?? new Map<string, MetricFacts>();
}

/**
 * Facts of a name as a query writes it; undefined where neither that version of Thanos exposes it, nor the Prometheus and
 * the Alertmanager beside it, nor whoever scrapes them.
 */
export function metricFacts(name: string, thanosVersion: string): MetricFacts | undefined {
  const neighbours = (["prometheus", "alertmanager"] as const).map((program) => familiesOf(program, "999.0.0"));
  for (const families of [familiesOf("thanos", thanosVersion), ...neighbours, further]) {
    const facts = factsIn(families, name);
    if (facts !== undefined) return facts;
  }
  return undefined;
}

function factsIn(families: Families, name: string): MetricFacts | undefined {
  const family = families.get(name);
  // A classic histogram has no series of its own name.
  if (family !== undefined) return family.kind === "histogram" ? undefined : family;
  const parts = families.get(name.replace(/_(bucket|sum|count)$/, ""));
  if (parts?.kind === "summary") return name.endsWith("_bucket") ? undefined : parts;
  return parts?.kind === "histogram" ? parts : undefined;
}

function changed(before: Families, changes: string): Families {
  const after = new Map(before);
  for (const line of changes.split("\n")) {
    const [name = "", kind] = line.trim().split(" ");
    if (name.startsWith("-")) after.delete(name.slice(1));
    else if (name !== "") after.set(name, { kind: kind as MetricKind });
  }
  return after;
}

function minorOf(version: string): number {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1_000_000 + minor;
}
