/** `pleiad tsdb analyze | dump | verify`: what a data folder of Prometheus or Pleiad holds, and whether it is whole. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { directoryBlockBytes, formatBlockFailure, isUlid, openBlock, type Block } from "@pleiad/blocks";
import {
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  formatChunkFailure,
  isHistogramEncoding,
} from "@pleiad/chunks";
import {
  emptyLabels,
  formatFloat,
  formatHistogram,
  formatSourceFailure,
  labelPairs,
  plainSelect,
  type SourceSeries,
} from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import { parseSelector, quoteString } from "@pleiad/promql-syntax";
import { defaultTsdbView, formatTsdbFailure, viewTsdb } from "@pleiad/tsdb";
import { blockCells, blockColumns, reportVerification } from "../block-report.ts";
import { commandPorts } from "../command-ports.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { existingFolder } from "../folder-input.ts";
import { formatBytes } from "../quantities.ts";
import { formatTable, left, right } from "../table.ts";

const cacheBytesMax = 64 * 1024 * 1024;
const never = new AbortController().signal;

export interface TsdbDumpOptions {
  readonly match: string;
  readonly minTime: string | undefined;
  readonly maxTime: string | undefined;
}

/** A table of the blocks, then the labels and metrics that the newest of them, or the one that is named, is made of. */
export async function tsdbAnalyzeCommand(
  folder: string,
  ulid: string | undefined,
  options: { readonly limit: string },
): Promise<void> {
  const ports = commandPorts();
  const folders = blockFoldersOf(folder);
  const rows: string[][] = [];
  for (const path of folders) {
    const block = await openFolder(path, ports);
    const { meta } = block;
    const { numSeries, numChunks, numSamples } = meta.stats;
    const bytes = bytesBelow(path);
    rows.push([
      ...blockCells(meta),
      String(numSeries),
      String(numChunks),
      String(numSamples),
      formatBytes(bytes),
      numSamples === 0 ? "-" : (bytes / numSamples).toFixed(2),
    ]);
    await block.close();
  }
  const columns = [
    ...blockColumns,
    right("SERIES"),
    right("CHUNKS"),
    right("SAMPLES"),
    right("SIZE"),
    right("B/SAMPLE"),
  ];
  process.stdout.write(formatTable(columns, rows));
  const chosen = ulid === undefined ? folders.at(-1) : folders.find((path) => basename(path) === ulid);
  if (chosen === undefined) throw new CommandFailure(exitCodes.badInput, `there is no block ${String(ulid)}`);
  process.stdout.write(await describeSeries(chosen, Number(options.limit), ports));
}

async function describeSeries(path: string, limit: number, ports: Ports): Promise<string> {
  const block = await openFolder(path, ports);
  const valuesOf = new Map<string, Set<string>>();
  const seriesOfName = new Map<string, number>();
  const seriesOfMetric = new Map<string, number>();
  try {
    for await (const { labels } of block.everySeries(never)) {
      for (const [name, value] of labelPairs(labels)) {
        let values = valuesOf.get(name);
        if (values === undefined) valuesOf.set(name, (values = new Set()));
        values.add(value);
        seriesOfName.set(name, (seriesOfName.get(name) ?? 0) + 1);
        if (name === "__name__") seriesOfMetric.set(value, (seriesOfMetric.get(value) ?? 0) + 1);
      }
    }
  } finally {
    await block.close();
  }
  const columns = (title: string, count: string) => [left(title), right(count)];
  const top = (counts: Iterable<readonly [string, number]>) =>
    [...counts]
      .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([name, count]) => [name, String(count)]);
  return [
    `\nBlock ${basename(path)}\n`,
    `\n${formatTable(columns("METRIC", "SERIES"), top(seriesOfMetric))}`,
    `\n${formatTable(columns("LABEL", "VALUES"), top([...valuesOf].map(([name, values]) => [name, values.size])))}`,
    `\n${formatTable(columns("LABEL", "SERIES"), top(seriesOfName))}`,
  ].join("");
}

/** Every sample as a line, as promtool writes it: labels, value, milliseconds. */
export async function tsdbDumpCommand(folder: string, options: TsdbDumpOptions): Promise<void> {
  const selector = parseSelector(options.match);
  if (!selector.ok) throw new CommandFailure(exitCodes.badInput, selector.failure.message);
  const directory = existingFolder(folder);
  const view = await viewTsdb(directory, defaultTsdbView, commandPorts());
  if (!view.ok) throw new CommandFailure(exitCodes.failed, formatTsdbFailure(view.failure));
  const minTimeMs = readTime(options.minTime, -8.64e15);
  const maxTimeMs = readTime(options.maxTime, 8.64e15);
  const request = { ...plainSelect, minTimeMs, maxTimeMs, matchers: selector.value };
  const cursor = view.value.select(request, never);
  for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
    for (const series of batch) {
      if (!process.stdout.write(linesOf(series, minTimeMs, maxTimeMs))) {
        await new Promise((resume) => process.stdout.once("drain", resume));
      }
    }
  }
  const { failure, warnings } = cursor;
  await view.value.close();
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  if (failure !== undefined) throw new CommandFailure(exitCodes.failed, formatSourceFailure(failure));
}

function linesOf({ labels, chunks }: SourceSeries, minTimeMs: number, maxTimeMs: number): string {
  const name = `{${[...labelPairs(labels)].map(([label, value]) => `${label}=${quoteString(value)}`).join(", ")}}`;
  const lines = new Map<number, string>();
  const add = (timestampMs: number, value: () => string) => {
    if (timestampMs < minTimeMs || timestampMs > maxTimeMs || lines.has(timestampMs)) return;
    lines.set(timestampMs, `${name} ${value()} ${String(timestampMs)}\n`);
  };
  for (const { content } of chunks) {
    if (content.kind === "aggregates") throw new CommandFailure(exitCodes.failed, "downsampled chunks have no samples");
    const { encoding, data } = content;
    if (isHistogramEncoding(encoding)) {
      const columns = createHistogramColumns();
      const failure = decodeHistogramChunk(encoding, data, columns);
      if (failure !== undefined) throw new CommandFailure(exitCodes.failed, `${name}: ${formatChunkFailure(failure)}`);
      for (let i = 0; i < columns.count; i++) {
        const histogram = columns.histograms[i];
        if (histogram !== undefined) add(columns.timestampsMs[i] ?? NaN, () => formatHistogram(histogram));
      }
      continue;
    }
    const columns = createSampleColumns(240);
    const failure = decodeChunk(encoding, data, columns);
    if (failure !== undefined) throw new CommandFailure(exitCodes.failed, `${name}: ${formatChunkFailure(failure)}`);
    for (let i = 0; i < columns.count; i++) {
      add(columns.timestampsMs[i] ?? NaN, () => formatFloat(columns.values[i] ?? NaN));
    }
  }
  return [...lines]
    .sort(([a], [b]) => a - b)
    .map(([, line]) => line)
    .join("");
}

/** Reads every block from end to end and says what is wrong; exit code 1 if anything is. */
export async function tsdbVerifyCommand(folder: string): Promise<void> {
  const ports = commandPorts();
  let wrong = 0;
  for (const path of blockFoldersOf(folder)) {
    wrong += await reportVerification(basename(path), directoryBlockBytes(ports.files, path));
  }
  if (wrong > 0) throw new CommandFailure(exitCodes.failed, `${String(wrong)} findings`);
}

/** The blocks of a data folder, by ULID and so by age, or the one block that the folder is. */
function blockFoldersOf(folder: string): readonly string[] {
  const directory = existingFolder(folder);
  if (existsSync(join(directory, "meta.json"))) return [directory];
  const blocks = readdirSync(directory)
    .filter((name) => isUlid(name))
    .sort();
  if (blocks.length === 0) {
    throw new CommandFailure(exitCodes.badInput, `${directory} holds no blocks, and is none itself`);
  }
  return blocks.map((name) => join(directory, name));
}

async function openFolder(path: string, ports: Ports): Promise<Block> {
  const bytes = directoryBlockBytes(ports.files, path);
  const options = { externalLabels: emptyLabels, intern: (text: string) => text, cacheBytesMax };
  const block = await openBlock(bytes, options);
  if (!block.ok) throw new CommandFailure(exitCodes.failed, formatBlockFailure(block.failure));
  return block.value;
}

function bytesBelow(path: string): number {
  return readdirSync(path, { recursive: true, encoding: "utf8" }).reduce((sum, name) => {
    const status = statSync(join(path, name));
    return sum + (status.isFile() ? status.size : 0);
  }, 0);
}

function readTime(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const timeMs = /^-?\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(timeMs)) {
    throw new CommandFailure(exitCodes.badInput, `${text} is no time: give Unix milliseconds or RFC 3339`);
  }
  return timeMs;
}
