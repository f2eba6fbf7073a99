/** What is wrong with a fleet file: stable codes, places in the file, and the text that people read. */
import type { FleetSource, Place } from "./fleet-source.ts";

/** Every code with its meaning. Codes are stable: scripts match on them, the guide lists them, none is given twice. */
export const fleetProblemCodes = {
  INPUT: "The file is too large, or holds characters that no YAML file may hold.",
  FILE_EMPTY: "The file holds nothing.",
  YAML_SYNTAX: "The text is no YAML.",
  YAML_KEY: "A key is not plain text.",
  YAML_DUP_KEY: "A mapping has a key twice; the second would replace the first.",
  YAML_MULTI: "The file holds more than one document.",
  YAML_ALIASES: "The file expands too many aliases.",
  YAML_DEPTH: "The file is nested too deeply.",
  VERSION_UNKNOWN: "The version of the file's format is not known to this release.",
  KEY_UNKNOWN: "A key is not known at its place.",
  KEY_MISSING: "A key that must be there is missing.",
  KEY_CONFLICT: "Two keys exclude each other.",
  TYPE: "A value is of the wrong type.",
  CHOICE: "A value is none of those possible.",
  RANGE: "A number or an amount is out of its bounds.",
  CPU: "CPU is not written in cores or millicores.",
  SIZE: "Memory or disk is not written with a binary unit.",
  NETWORK: "A network rate is not written in bits per second.",
  COUNT: "A count is no whole number.",
  DURATION: "A duration has no unit, or an unknown one.",
  NAME_DNS: "A name is no DNS label: a-z, 0-9 and '-', at most 63, no '-' at either end.",
  LABEL_NAME: "A label name is not valid, or reserved.",
  LABEL_COLLISION: "Two clusters have the same external labels once replica labels are taken off.",
  NO_REPLICA_LABEL: "Prometheus replicas of a cluster carry no label that tells them apart.",
  UNEXPANDED_VAR: "A label value holds a placeholder that is not known.",
  RANGE_SYNTAX: "A range of cluster names is not written as name-{001..060}.",
  RANGE_REVERSED: "A range ends before it starts.",
  RANGE_HUGE: "The fleet has more clusters than a fleet file may name.",
  DUP_CLUSTER: "A cluster is listed twice.",
  NAME_TAKEN: "A cluster has the name of a role, or a node that of a process of clusters.",
  COUNT_MISMATCH: "The number of clusters is not the one the file declares.",
  NO_CLUSTER: "A region names a cluster that no group has.",
  NO_GROUP: "A region names a group that does not exist.",
  NO_REGION: "A cluster belongs to no region: nobody would ask it.",
  TWO_REGIONS: "A cluster belongs to two regions: every sample would be returned twice.",
  REGION_EMPTY: "A region has no clusters.",
  REGION_CAPACITY: "A region has more clusters than it may have.",
  DUP_NODE: "A node is listed twice.",
  NO_NODE: "A role is to run on a node that does not exist, or no node is there for it.",
  HA_SAME_NODE: "Replicas that must be on different nodes are pinned to one.",
  UNSCHEDULABLE: "There are fewer nodes than replicas that must be on different nodes.",
  NODE_CPU: "The roles of a node need more CPU than it has.",
  NODE_MEM: "The roles of a node need more memory than it has.",
  NODE_DISK: "The volumes of a node's roles need more disk than it has.",
  DUP_TARGET: "Two targets of a cluster would give the same series.",
  URL: "A target is no http or https URL that may be scraped.",
  RETENTION_ORDER: "Samples are deleted before those of the next resolution are made of them.",
  BUCKET_NAME: "The bucket's name is not one that S3 accepts.",
  PORT_RANGE: "The twin's ports would leave the range below the ephemeral ports.",
} as const;

export type FleetProblemCode = keyof typeof fleetProblemCodes;

/** What a value should have been: a problem before it has a place. */
export interface Mismatch {
  readonly code: FleetProblemCode;
  readonly expected: string;
  readonly found?: string; // where the value itself says too little
  readonly hint?: string | undefined;
}

export interface FleetProblem {
  readonly code: FleetProblemCode;
  readonly file: string;
  readonly line: number; // from 1
  readonly column: number; // from 1, in UTF-16 units as editors count
  readonly length: number; // characters that a caret line underlines, at least 1
  readonly lineText: string;
  readonly path: string; // `regions.a1.clusters[0]`; empty for the file as a whole
  readonly expected: string;
  readonly found: string;
  readonly hint: string | undefined;
}

/** All that is wrong, by position. `omitted` counts the problems past the cap. */
export interface FleetFailure {
  readonly kind: "invalid-fleet";
  readonly problems: readonly FleetProblem[];
  readonly omitted: number;
}

export const fleetProblemsMax = 100;

export function fleetFailure(problems: readonly FleetProblem[]): FleetFailure {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  return {
    kind: "invalid-fleet",
    problems: sorted.slice(0, fleetProblemsMax),
    omitted: Math.max(0, sorted.length - fleetProblemsMax),
  };
}

export function problemAtPlace(
  source: FleetSource,
  place: Place,
  path: string,
  { code, expected, found, hint }: Mismatch & { readonly found: string },
): FleetProblem {
  const lineText = maskCredentials((source.lines[place.line - 1] ?? "").slice(0, 400));
  return { code, file: source.fileName, ...place, lineText, path, expected, found, hint };
}

/** Covers user and password of URLs: messages end in logs. Keeps the length, so that columns stay. */
export function maskCredentials(text: string): string {
  return text.replace(/:\/\/[^\s/?#]*@/g, (whole) => `://${"*".repeat(whole.length - 4)}@`);
}

/** `fleets/x.yaml:14:9: nodes.node-1.memory: expected …, found …; hint [SIZE]`, one line. */
export function formatFleetProblem(problem: FleetProblem): string {
  const { code, file, line, column, path, expected, found, hint } = problem;
  const where = path === "" ? "" : `${path}: `;
  const mend = hint === undefined ? "" : `; ${hint}`;
  return `${file}:${line}:${column}: ${where}expected ${expected}, found ${found}${mend} [${code}]`;
}

/** The same for a terminal: the line of the file below it, and carets below the place. */
export function formatFleetProblemWithExcerpt(problem: FleetProblem): string {
  const { line, column, length, lineText } = problem;
  const gutter = String(line);
  // Tabs stay tabs above and below, so that the caret stands right at any tab width.
  const indent = lineText.slice(0, column - 1).replace(/[^\t]/g, " ");
  return [
    formatFleetProblem(problem),
    `  ${gutter} | ${lineText}`,
    `  ${" ".repeat(gutter.length)} | ${indent}${"^".repeat(length)}`,
  ].join("\n");
}

/** Everything that is wrong, a line a problem. */
export function formatFleetFailure({ problems, omitted }: FleetFailure): string {
  const lines = problems.map(formatFleetProblem);
  if (omitted > 0) lines.push(`and ${omitted} more`);
  return lines.join("\n");
}
