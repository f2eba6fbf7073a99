/** Marks beside a block in a bucket: what is to become of it. Layout: docs/format/bucket.md. */
import { fail, ok, type Result } from "@pleiad/model";

export type BlockMarkKind = "deletion" | "no-compact" | "no-downsample";

export interface BlockMark {
  readonly kind: BlockMarkKind;
  readonly ulid: string;
  /** When it was marked, to the second. For a deletion the delays count from here. */
  readonly timeMs: number;
  /** For people. */
  readonly details: string;
  /** One word for programs: `manual`, `index-size-exceeding` …; empty for a deletion. */
  readonly reason: string;
}

export const blockMarkFiles: Readonly<Record<BlockMarkKind, string>> = {
  deletion: "deletion-mark.json",
  "no-compact": "no-compact-mark.json",
  "no-downsample": "no-downsample-mark.json",
};

export const blockMarkKinds: readonly BlockMarkKind[] = ["deletion", "no-compact", "no-downsample"];

const timeFields: Readonly<Record<BlockMarkKind, string>> = {
  deletion: "deletion_time",
  "no-compact": "no_compact_time",
  "no-downsample": "no_downsample_time",
};

const markVersion = 1;

/** The failure is a reason for people: no JSON, another version, another block, no time. */
export function parseBlockMark(kind: BlockMarkKind, bytes: Uint8Array, ulid: string): Result<BlockMark, string> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return fail(`${blockMarkFiles[kind]} is no JSON`);
  }
  if (typeof json !== "object" || json === null) return fail(`${blockMarkFiles[kind]} is no object`);
  const fields = new Map<string, unknown>(Object.entries(json));
  const version = fields.get("version");
  if (version !== markVersion) {
    return fail(`${blockMarkFiles[kind]} has version ${JSON.stringify(version)}; read is ${markVersion}`);
  }
  if (fields.get("id") !== ulid) return fail(`${blockMarkFiles[kind]} is of block ${JSON.stringify(fields.get("id"))}`);
  const seconds = fields.get(timeFields[kind]);
  if (typeof seconds !== "number" || !Number.isSafeInteger(seconds) || seconds <= 0) {
    return fail(`${blockMarkFiles[kind]} has no time: ${JSON.stringify(seconds)}`);
  }
  return ok({
    kind,
    ulid,
    timeMs: seconds * 1000,
    details: textOf(fields.get("details")),
    reason: textOf(fields.get("reason")),
  });
}

/** As Thanos writes it. */
export function formatBlockMark({ kind, ulid, timeMs, details, reason }: BlockMark): Uint8Array {
  const seconds = Math.floor(timeMs / 1000);
  const json = {
    id: ulid,
    version: markVersion,
    details,
    [timeFields[kind]]: seconds,
    ...(kind === "deletion" ? {} : { reason }),
  };
  return new TextEncoder().encode(JSON.stringify(json));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
