/** The one folder in which a twin keeps everything: who runs, logs, and the data of every cluster. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fail, ok, type Result } from "@pleiad/model";

export interface RunningTwin {
  readonly pid: number;
  readonly fleet: string;
  readonly startedMs: number;
  readonly consoleUrl: string;
  readonly apiUrls: readonly string[]; // global queriers, in the order to be tried
}

export interface StateFolder {
  readonly path: string; // absolute
  /** Where a fleet's data lies, apart from that of other fleets. */
  dataDirectory(fleet: string): string;
  readonly logDirectory: string;
  announce(twin: RunningTwin): void;
  release(): void;
}

const announcement = "twin.json";

/** Takes the folder for this process. Fails if it cannot be written, or if another twin runs on it. */
export function takeStateFolder(path: string): Result<StateFolder, string> {
  const folder = resolve(path);
  const logDirectory = join(folder, "logs");
  try {
    makeFolder(logDirectory);
    const probe = join(folder, ".writable");
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return fail(`state folder ${folder} is not writable (${code}); choose another with --state`);
  }
  const other = readRunningTwin(folder);
  if (other !== undefined) {
    return fail(
      `a twin of fleet ${other.fleet} already runs on state folder ${folder} (process ${other.pid}, console ${other.consoleUrl}); stop it, or choose another folder with --state`,
    );
  }
  const file = join(folder, announcement);
  return ok({
    path: folder,
    logDirectory,
    dataDirectory: (fleet) => join(folder, "fleets", fleet),
    announce: (twin) => writeFileSync(file, `${JSON.stringify(twin, null, 2)}\n`),
    release: () => rmSync(file, { force: true }),
  });
}

/** Makes a folder and its parents. Step by step: Node's own `recursive` never returns where /proc refuses a name. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}

/** The twin that runs on a folder; undefined where none does, also where one was killed and left its note. */
export function readRunningTwin(path: string): RunningTwin | undefined {
  const file = join(resolve(path), announcement);
  if (!existsSync(file)) return undefined;
  let twin: RunningTwin;
  try {
    twin = JSON.parse(readFileSync(file, "utf8")) as RunningTwin;
  } catch {
    return undefined;
  }
  return processLives(twin.pid) ? twin : undefined;
}

function processLives(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  // A number can be taken again by a stranger: only another Node counts.
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("main.ts");
  } catch {
    return true;
  }
}
