/**
 * `node bench/manifests.ts`: processor time to render the seven nodes with their 220 clusters, against `kubectl kustomize`
 * building the same tree, which it needs one run a folder for. Both as processes of their own, in turn.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface RenderTiming {
  readonly renderMs: number; // processor time, from fleet file to files
  readonly kustomizeMs: number; // the same, from files to one text a folder
  readonly files: number;
  readonly builds: number;
  readonly bytes: number; // that kustomize built
}

const pleiad = fileURLToPath(new URL("../apps/cli/src/main.ts", import.meta.url));

export function hasKubectl(): boolean {
  return spawnSync("kubectl", ["version", "--client"]).status === 0;
}

/** Throws where either of the two fails. The top folder is built, and the first `clustersMax` of the app clusters. */
export function timeRendering(fleetFile: string, clustersMax = Infinity): RenderTiming {
  const folder = mkdtempSync(join(tmpdir(), "pleiad-bench-"));
  try {
    const start = childrenCpuMs();
    run(process.execPath, [pleiad, "render", fleetFile, "-o", folder]);
    const rendered = childrenCpuMs();
    const clusters = readdirSync(join(folder, "app-clusters")).slice(0, clustersMax);
    const folders = [folder, ...clusters.map((cluster) => join(folder, "app-clusters", cluster))];
    const bytes = folders.reduce((sum, one) => sum + run("kubectl", ["kustomize", one]).length, 0);
    return {
      renderMs: rendered - start,
      kustomizeMs: childrenCpuMs() - rendered,
      files: readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length,
      builds: folders.length,
      bytes,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(command: string, args: readonly string[]): Uint8Array {
  const { status, stdout, stderr } = spawnSync(command, args, { maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr.toString()}`);
  return stdout;
}

/** Of all processes that this one started and that have ended. Linux counts in hundredths of a second. */
function childrenCpuMs(): number {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { renderMs, kustomizeMs, files, builds, bytes } = timeRendering(
    fileURLToPath(new URL("../fleets/seven-nodes.yaml", import.meta.url)),
  );
  process.stdout.write(
    `pleiad render      ${String(renderMs).padStart(6)} ms processor time, ${files} files\n` +
      `kubectl kustomize  ${String(kustomizeMs).padStart(6)} ms processor time, ${builds} builds, ${bytes} bytes\n`,
  );
}
