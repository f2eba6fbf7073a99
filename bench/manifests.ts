/**
 * `node bench/manifests.ts`: processor time to render the seven nodes with their 220 clusters and to hold every object against
 * strict schemas, against `kubectl kustomize` building the same tree, which it needs one run a folder for. All as processes
 * of their own, in turn.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ValidationReport } from "./manifests-validation.ts";

export interface RenderTiming {
  readonly renderMs: number; // processor time, from fleet file to files
  readonly validateMs: number; // the same, from files to the last object held against its schema
  readonly validation: ValidationReport;
  readonly kustomizeMs: number; // the same, from files to one text a folder
  readonly files: number;
  readonly builds: number;
  readonly bytes: number; // that kustomize built
}

const kubernetesVersion = "1.36";
const validator = fileURLToPath(new URL("./manifests-validation.ts", import.meta.url));
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
    const report = run(process.execPath, [validator, folder, kubernetesVersion]);
    const validated = childrenCpuMs();
    const clusters = readdirSync(join(folder, "app-clusters")).slice(0, clustersMax);
    const folders = [folder, ...clusters.map((cluster) => join(folder, "app-clusters", cluster))];
    const bytes = folders.reduce((sum, one) => sum + run("kubectl", ["kustomize", one]).length, 0);
    return {
      renderMs: rendered - start,
      validateMs: validated - rendered,
      validation: JSON.parse(Buffer.from(report).toString()) as ValidationReport,
      kustomizeMs: childrenCpuMs() - validated,
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
  const { renderMs, validateMs, validation, kustomizeMs, files, builds, bytes } = timeRendering(
    fileURLToPath(new URL("../fleets/seven-nodes.yaml", import.meta.url)),
  );
  process.stdout.write(
    `pleiad render      ${String(renderMs).padStart(6)} ms processor time, ${files} files\n` +
      `strict schemas     ${String(validateMs).padStart(6)} ms processor time, ${validation.objects} objects of Kubernetes ${kubernetesVersion}, ` +
      `${validation.faults.length} wrong, at most ${Math.round(validation.residentBytesPeak / 2 ** 20)} MiB\n` +
      `kubectl kustomize  ${String(kustomizeMs).padStart(6)} ms processor time, ${builds} builds, ${bytes} bytes\n`,
  );
}
