/** The reference fleet on disk, as Prometheus's own tools make it: blocks of ten clusters each, made once and kept. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openMetricsOf, referenceCluster, referenceFleet, type FleetOptions } from "./reference-fleet.ts";

export interface ReferenceData {
  readonly blocks: string; // a Prometheus data folder
  readonly startMs: number;
  readonly endMs: number;
  readonly fleet: FleetOptions;
}

export const clustersPerBlock = 10;

/** The blocks below `folder`, made by promtool where they are not there whole for this fleet. */
export async function makeReferenceBlocks(
  folder: string,
  options: Partial<FleetOptions>,
  note: (text: string) => void,
): Promise<ReferenceData> {
  const fleet = { ...referenceFleet, ...options };
  const blocks = join(folder, "blocks");
  const stamp = join(folder, "fleet.json");
  const wanted = JSON.stringify(fleet);
  const data = { blocks, startMs: fleet.startMs, endMs: fleet.startMs + fleet.samples * fleet.intervalMs, fleet };
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return data;
  rmSync(blocks, { recursive: true, force: true });
  mkdirSync(blocks, { recursive: true });
  const text = join(folder, "fleet.om");
  for (let first = 1; first <= fleet.clusters; first += clustersPerBlock) {
    const last = Math.min(first + clustersPerBlock - 1, fleet.clusters);
    note(`clusters ${String(first)} to ${String(last)} of ${String(fleet.clusters)}`);
    const clusters = Array.from({ length: last - first + 1 }, (_, i) => referenceCluster(first + i, fleet));
    const file = createWriteStream(text);
    for (const piece of openMetricsOf(clusters)) if (!file.write(piece)) await once(file, "drain");
    file.end();
    await once(file, "finish");
    await run("promtool", ["tsdb", "create-blocks-from", "openmetrics", "--quiet", text, blocks]);
  }
  rmSync(text);
  writeFileSync(`${stamp}.tmp`, wanted);
  renameSync(`${stamp}.tmp`, stamp);
  return data;
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${complaint}`);
}
