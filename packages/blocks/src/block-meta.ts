/** What meta.json says of a block. Fields: docs/format/block.md. */
import { fail, ok, type Result } from "@pleiad/model";
import type { BlockFailure } from "./block-failure.ts";
import { isUlid } from "./ulid.ts";

export interface BlockStats {
  readonly numSamples: number;
  readonly numFloatSamples: number;
  readonly numHistogramSamples: number;
  readonly numSeries: number;
  readonly numChunks: number;
  readonly numTombstones: number;
}

export interface BlockParent {
  readonly ulid: string;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

export interface BlockCompaction {
  readonly level: number; // 1 as cut from a head
  readonly sources: readonly string[]; // ULIDs of the level 1 blocks that all its samples come from
  readonly parents: readonly BlockParent[];
  readonly isDeletable: boolean;
  readonly isFailed: boolean;
  readonly hints: readonly string[];
}

export interface BlockFile {
  readonly path: string; // relative to the block
  readonly sizeBytes: number | undefined;
}

/** What Thanos adds. */
export interface ThanosMeta {
  readonly labels: Readonly<Record<string, string>>; // external labels
  readonly resolutionMs: number; // 0 = raw
  readonly source: string; // sidecar, compactor, ruler …
  readonly files: readonly BlockFile[];
  readonly indexStats: { readonly seriesBytesMax: number; readonly chunkBytesMax: number } | undefined;
  readonly uploadTimeMs: number | undefined;
}

export interface BlockMeta {
  readonly ulid: string;
  readonly minTimeMs: number; // inclusive
  readonly maxTimeMs: number; // exclusive
  readonly stats: BlockStats;
  readonly compaction: BlockCompaction;
  readonly thanos: ThanosMeta | undefined;
}

export const blockMetaBytesMax: number = 16 * 1024 * 1024;

const metaVersion = 1;

/** Reads meta.json; fields that are not known are ignored, as Prometheus and Thanos do. `block` is for messages. */
export function parseBlockMeta(bytes: Uint8Array, block = "meta.json"): Result<BlockMeta, BlockFailure> {
  if (bytes.length > blockMetaBytesMax) return fail({ kind: "limit", block, of: "bytes", max: blockMetaBytesMax });
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return fail({ kind: "corrupt", block, file: "meta.json", offset: 0, reason: "this is no JSON" });
  }
  const fields = new MetaFields();
  const root = fields.object(json, "meta.json");
  const version = fields.count(root, "version");
  if (fields.fault === undefined && version !== metaVersion) {
    return fail({ kind: "unsupported", block, reason: `meta.json has version ${version}; read is ${metaVersion}` });
  }
  const stats = fields.object(root["stats"] ?? {}, "stats");
  const compaction = fields.object(root["compaction"] ?? {}, "compaction");
  const meta: BlockMeta = {
    ulid: fields.ulid(root, "ulid"),
    minTimeMs: fields.integer(root, "minTime"),
    maxTimeMs: fields.integer(root, "maxTime"),
    stats: {
      numSamples: fields.count(stats, "numSamples"),
      numFloatSamples: fields.count(stats, "numFloatSamples"),
      numHistogramSamples: fields.count(stats, "numHistogramSamples"),
      numSeries: fields.count(stats, "numSeries"),
      numChunks: fields.count(stats, "numChunks"),
      numTombstones: fields.count(stats, "numTombstones"),
    },
    compaction: {
      level: fields.count(compaction, "level"),
      sources: fields.texts(compaction, "sources"),
      parents: fields.list(compaction, "parents").map((parent) => ({
        ulid: fields.ulid(parent, "ulid"),
        minTimeMs: fields.integer(parent, "minTime"),
        maxTimeMs: fields.integer(parent, "maxTime"),
      })),
      isDeletable: compaction["deletable"] === true,
      isFailed: compaction["failed"] === true,
      hints: fields.texts(compaction, "hints"),
    },
    thanos: root["thanos"] === undefined || root["thanos"] === null ? undefined : thanosMeta(fields, root["thanos"]),
  };
  if (fields.fault === undefined && meta.minTimeMs >= meta.maxTimeMs) {
    fields.fault = `the block ends (${meta.maxTimeMs}) before it begins (${meta.minTimeMs})`;
  }
  if (fields.fault !== undefined) {
    return fail({ kind: "corrupt", block, file: "meta.json", offset: 0, reason: fields.fault });
  }
  return ok(meta);
}

function thanosMeta(fields: MetaFields, value: unknown): ThanosMeta {
  const thanos = fields.object(value, "thanos");
  const labels = fields.object(thanos["labels"] ?? {}, "labels");
  const stats = fields.object(thanos["index_stats"] ?? {}, "index_stats");
  const uploadTimeMs = Date.parse(typeof thanos["upload_time"] === "string" ? thanos["upload_time"] : "");
  const indexStats = {
    seriesBytesMax: fields.count(stats, "series_max_size"),
    chunkBytesMax: fields.count(stats, "chunk_max_size"),
  };
  return {
    // From entries, since a label may be called `__proto__`.
    labels: Object.fromEntries(Object.keys(labels).map((name) => [name, fields.text(labels, name)])),
    resolutionMs: fields.count(fields.object(thanos["downsample"] ?? {}, "downsample"), "resolution"),
    source: thanos["source"] === undefined ? "" : fields.text(thanos, "source"),
    files: fields.list(thanos, "files").map((file) => ({
      path: fields.text(file, "rel_path"),
      sizeBytes: file["size_bytes"] === undefined ? undefined : fields.count(file, "size_bytes"),
    })),
    indexStats: indexStats.seriesBytesMax > 0 || indexStats.chunkBytesMax > 0 ? indexStats : undefined,
    // Go's zero time stands for none.
    uploadTimeMs: uploadTimeMs > 0 ? uploadTimeMs : undefined,
  };
}

/** As Prometheus writes it: tab-indented, zeros left out where it leaves them out. */
export function formatBlockMeta(meta: BlockMeta): Uint8Array {
  const { stats, compaction, thanos } = meta;
  const json = {
    ulid: meta.ulid,
    minTime: meta.minTimeMs,
    maxTime: meta.maxTimeMs,
    stats: {
      numSamples: stats.numSamples || undefined,
      numFloatSamples: stats.numFloatSamples || undefined,
      numHistogramSamples: stats.numHistogramSamples || undefined,
      numSeries: stats.numSeries || undefined,
      numChunks: stats.numChunks || undefined,
      numTombstones: stats.numTombstones || undefined,
    },
    compaction: {
      level: compaction.level,
      sources: unlessEmpty(compaction.sources),
      deletable: compaction.isDeletable || undefined,
      parents: unlessEmpty(
        compaction.parents.map(({ ulid, minTimeMs, maxTimeMs }) => ({ ulid, minTime: minTimeMs, maxTime: maxTimeMs })),
      ),
      failed: compaction.isFailed || undefined,
      hints: unlessEmpty(compaction.hints),
    },
    version: metaVersion,
    thanos: thanos === undefined ? undefined : thanosJson(thanos),
  };
  // Go escapes these inside texts; nothing else in JSON has them.
  const text = JSON.stringify(json, undefined, "\t").replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return new TextEncoder().encode(text);
}

function thanosJson(thanos: ThanosMeta): unknown {
  const { labels, resolutionMs, source, files, indexStats, uploadTimeMs } = thanos;
  return {
    version: 1,
    labels,
    downsample: { resolution: resolutionMs },
    source,
    files: unlessEmpty(files.map(({ path, sizeBytes }) => ({ rel_path: path, size_bytes: sizeBytes || undefined }))),
    index_stats: {
      series_max_size: indexStats?.seriesBytesMax || undefined,
      chunk_max_size: indexStats?.chunkBytesMax || undefined,
    },
    upload_time: uploadTimeMs === undefined ? undefined : new Date(uploadTimeMs).toISOString(),
  };
}

function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Takes fields out of JSON and keeps the first thing that is wrong with them. */
class MetaFields {
  fault: string | undefined;

  object(value: unknown, name: string): JsonObject {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
    this.fault ??= `${name} is no object`;
    return {};
  }

  integer(object: JsonObject, name: string): number {
    const value = object[name];
    if (typeof value === "number" && Number.isSafeInteger(value)) return value;
    this.fault ??= `${name} is no whole number`;
    return 0;
  }

  /** A whole number from 0 on; 0 where it is left out. */
  count(object: JsonObject, name: string): number {
    if (object[name] === undefined) return 0;
    const value = this.integer(object, name);
    if (value < 0) this.fault ??= `${name} is negative`;
    return value;
  }

  text(object: JsonObject, name: string): string {
    const value = object[name];
    if (typeof value === "string") return value;
    this.fault ??= `${name} is no text`;
    return "";
  }

  ulid(object: JsonObject, name: string): string {
    const text = this.text(object, name);
    if (!isUlid(text)) this.fault ??= `${name} is no ULID: ${JSON.stringify(text)}`;
    return text;
  }

  list(object: JsonObject, name: string): JsonObject[] {
    return this.#array(object, name).map((one) => this.object(one, name));
  }

  texts(object: JsonObject, name: string): string[] {
    return this.#array(object, name).map((one) => this.text({ [name]: one }, name));
  }

  #array(object: JsonObject, name: string): readonly unknown[] {
    const value = object[name] ?? [];
    if (Array.isArray(value)) return value;
    this.fault ??= `${name} is no list`;
    return [];
  }
}
