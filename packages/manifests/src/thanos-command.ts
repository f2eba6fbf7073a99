/** Command lines of Thanos that its version accepts: a flag that the version lacks, or takes only under protest, is a bug. */
import { thanosFlags, type ThanosComponent } from "./thanos-flags.ts";

/** Versions whose flags are known, oldest first. */
export const thanosVersions = Object.keys(thanosFlags) as readonly (keyof typeof thanosFlags)[];
export type ThanosVersion = (typeof thanosVersions)[number];

/** The newest catalogued version that is not after `version`; undefined for one older than all. */
export function catalogueOf(version: string): ThanosVersion | undefined {
  return thanosVersions.findLast((known) => compareVersions(known, version) <= 0);
}

export interface FlagFacts {
  readonly takesValue: boolean;
  readonly isDeprecated: boolean;
}

/** Undefined where the version does not know the flag. `name` is without its dashes. */
export function flagOf(version: ThanosVersion, component: ThanosComponent, name: string): FlagFacts | undefined {
  return factsOf(version, component).get(name);
}

/** Whether queriers of a version read their endpoints from a file of Thanos's own, and with TLS for each of them. */
export function endpointFilesOf(version: ThanosVersion): "none" | "without-tls" | "with-tls" {
  if (flagOf(version, "query", "endpoint.sd-config-file") === undefined) return "none";
  return compareVersions(version, "0.42.0") < 0 ? "without-tls" : "with-tls";
}

/**
 * A flag and its value; `true` for one without a value; undefined leaves it out. A list repeats the flag.
 */
export type FlagValues = Readonly<Record<string, string | number | true | readonly string[] | undefined>>;

/** `thanos <component> --a=b --c`, in the order given. */
export function thanosCommand(version: ThanosVersion, component: ThanosComponent, flags: FlagValues): string[] {
  const args = [component as string];
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const facts = flagOf(version, component, name);
    if (facts === undefined) throw new Error(`thanos ${component} ${version} has no flag --${name}`);
    if (facts.isDeprecated) throw new Error(`thanos ${component} ${version} deprecates --${name}`);
    if (facts.takesValue === (value === true)) {
      throw new Error(`--${name} of thanos ${component} takes ${facts.takesValue ? "a" : "no"} value`);
    }
    if (value === true) args.push(`--${name}`);
    else if (typeof value === "object") args.push(...value.map((one) => `--${name}=${one}`));
    else args.push(`--${name}=${value}`);
  }
  return args;
}

const factsByCatalogue = new Map<string, ReadonlyMap<string, FlagFacts>>();

function factsOf(version: ThanosVersion, component: ThanosComponent): ReadonlyMap<string, FlagFacts> {
  const key = `${version} ${component}`;
  const known = factsByCatalogue.get(key);
  if (known !== undefined) return known;
  const facts = new Map<string, FlagFacts>();
  // Each version lists what it changed of the one before.
  for (const change of thanosVersions.slice(0, thanosVersions.indexOf(version) + 1)) {
    for (const [, gone, name = "", marks = ""] of thanosFlags[change][component].matchAll(changePattern)) {
      if (gone === "-") facts.delete(name);
      else facts.set(name, { takesValue: !marks.includes("?"), isDeprecated: marks.includes("!") });
    }
  }
  factsByCatalogue.set(key, facts);
  return facts;
}

const changePattern = /(-?)([a-z0-9][a-z0-9._-]*)([?!]*)\s/g;

function compareVersions(a: string, b: string): number {
  const numbers = (version: string) => version.split(".").map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
