/**
 * What `pleiad apply` has brought where, as it remembers between runs: for `--resume`, and to tell what is no longer rendered
 * and still there. It holds names and hashes, no object and no secret.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { objectKey, type ApplyStep } from "@pleiad/manifests";

/** By folder of the rendered tree. */
export type AppliedJournal = ReadonlyMap<string, AppliedFolder>;

export interface AppliedFolder {
  readonly clusterUid: string; // of its namespace kube-system: a context may come to name another cluster
  readonly context: string;
  readonly hash: string; // of all that was applied; empty where that was not seen to be ready
  readonly objects: readonly string[]; // keys, `apps/v1 Deployment monitoring/ruler`
}

export const emptyJournal: AppliedJournal = new Map();

/** Equal for equal objects and Secrets; nothing can be read from it. */
export function contentHash({ foundation, objects }: ApplyStep, secretText: string | undefined): string {
  return createHash("sha256")
    .update(JSON.stringify([foundation, objects, secretText ?? ""]))
    .digest("hex");
}

/** Objects that an earlier run applied and that no step of their cluster has any more. */
export interface Leftover {
  readonly folder: string;
  readonly context: string;
  readonly keys: readonly string[];
}

export function leftovers(journal: AppliedJournal, steps: readonly ApplyStep[]): readonly Leftover[] {
  const clusterOf = (folder: string) => (folder.startsWith("app-clusters/") ? folder : "monitoring");
  const rendered = Map.groupBy(steps, ({ folder }) => clusterOf(folder));
  return [...journal].flatMap(([folder, { context, objects }]) => {
    const kept = new Set((rendered.get(clusterOf(folder)) ?? []).flatMap(keysOf));
    const keys = objects.filter((key) => !kept.has(key));
    return keys.length === 0 ? [] : [{ folder, context, keys }];
  });
}

export function keysOf({ foundation, objects }: ApplyStep): readonly string[] {
  return [...foundation, ...objects].map(objectKey);
}

/** What a folder had before is remembered until it is seen to be gone. */
export function withEarlier(keys: readonly string[], before: AppliedFolder | undefined): readonly string[] {
  return [...new Set([...keys, ...(before?.objects ?? [])])];
}

/** Beside the rendered files, where git does not look. Empty where nothing was applied yet, or by another version. */
export function readJournal(output: string): AppliedJournal {
  const file = join(output, journalFile);
  return (existsSync(file) ? parseJournal(readFileSync(file, "utf8")) : undefined) ?? new Map();
}

/** Whole or not at all. */
export function writeJournal(output: string, journal: AppliedJournal): void {
  const file = join(output, journalFile);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(join(dirname(file), ".gitignore"), "*\n");
  writeFileSync(`${file}.new`, formatJournal(journal));
  renameSync(`${file}.new`, file);
}

const journalFile = ".pleiad-applied/folders.json";

function formatJournal(journal: AppliedJournal): string {
  return `${JSON.stringify({ version: 1, folders: Object.fromEntries(journal) }, undefined, 1)}\n`;
}

/** Undefined where the text is no journal of this version. */
export function parseJournal(text: string): AppliedJournal | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value["version"] !== 1 || !isRecord(value["folders"])) return undefined;
  const entries = Object.entries(value["folders"]);
  return entries.every(isEntry) ? new Map(entries) : undefined;
}

function isEntry(entry: [string, unknown]): entry is [string, AppliedFolder] {
  const [, value] = entry;
  return (
    isRecord(value) &&
    ["clusterUid", "context", "hash"].every((name) => typeof value[name] === "string") &&
    Array.isArray(value["objects"]) &&
    value["objects"].every((key) => typeof key === "string")
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
