/** Endpoint files of a running querier: found, read, and read anew when they change. */
import { fail, ok, type Result } from "@pleiad/model";
import { FileError, sleepUnlessAborted, type FileSystem, type Ports, type RpcClientOptions } from "@pleiad/ports";
import { parseEndpoints } from "./endpoint-file.ts";
import type { EndpointSpec } from "./endpoint.ts";

export interface EndpointFilesOptions {
  readonly paths: readonly string[]; // absolute; a `*` in the last part stands for any text
  readonly intervalMs: number;
  /** How endpoints are spoken to of which the files say nothing else; by default in plain text. */
  readonly usual?: RpcClientOptions;
}

export const defaultEndpointFiles: Omit<EndpointFilesOptions, "paths"> = { intervalMs: 5_000 };

export interface EndpointFiles {
  /** What the files say; of a file that has become wrong, what it said before. */
  readonly specs: readonly EndpointSpec[];
  /**
   * Looks at the files again and again until the signal aborts, and hands over what changed. A failure of `take` is
   * treated like a wrong file: it is said, and tried again.
   */
  follow(
    take: (specs: readonly EndpointSpec[]) => Promise<Result<undefined, string>>,
    signal: AbortSignal,
  ): Promise<void>;
}

export type EndpointFilesPorts = Pick<Ports, "clock" | "files" | "observations">;

interface ReadFile {
  readonly text: string;
  readonly specs: readonly EndpointSpec[];
}

/** Reads the files once; the failure names the first that cannot be used, and what to change. */
export async function openEndpointFiles(
  { paths, intervalMs, usual }: EndpointFilesOptions,
  { clock, files, observations }: EndpointFilesPorts,
): Promise<Result<EndpointFiles, string>> {
  const isGood = observations.gauge(
    "pleiad_endpoint_file_last_reload_successful",
    "1 where an endpoint file is what the querier goes by.",
    ["file"],
  );
  const reloads = observations.counter("pleiad_endpoint_file_reloads_total", "Endpoint files read anew, by outcome.", [
    "outcome",
  ]);
  let known = new Map<string, ReadFile>();
  const lastFailures = new Map<string, string>();

  function failed(path: string, reason: string) {
    isGood.set(0, path);
    reloads.add(1, "failure");
    if (lastFailures.get(path) !== reason) {
      observations.log("error", "An endpoint file is no use; what it said before holds.", { file: path, reason });
    }
    lastFailures.set(path, reason);
  }

  /** Whether anything changed. */
  async function look(): Promise<boolean> {
    const found = new Map<string, ReadFile>();
    let changed = false;
    for (const pattern of paths) {
      const matching = await pathsOf(pattern, files);
      if (!matching.ok) {
        failed(pattern, matching.failure);
        // What cannot be listed has not gone.
        for (const [path, before] of known) if (matches(pattern, path)) found.set(path, before);
        continue;
      }
      for (const path of matching.value) {
        const before = known.get(path);
        const read = await readEndpoints(path, files, before, usual);
        if (!read.ok) {
          failed(path, read.failure);
          if (before !== undefined) found.set(path, before);
          continue;
        }
        isGood.set(1, path);
        lastFailures.delete(path);
        found.set(path, read.value);
        if (read.value === before) continue;
        reloads.add(1, "success");
        changed = true;
      }
    }
    for (const path of known.keys()) {
      if (found.has(path)) continue;
      isGood.set(0, path);
      changed = true;
    }
    known = found;
    return changed;
  }

  const united = () => uniteSpecs([...known.values()].flatMap(({ specs }) => specs));

  await look();
  const [first] = lastFailures;
  if (first !== undefined) return fail(`${first[0]}: ${first[1]}`);
  return ok({
    get specs() {
      return united();
    },
    async follow(take, signal) {
      let pending = false;
      while (await sleepUnlessAborted(clock, intervalMs, signal)) {
        if (!(await look()) && !pending) continue;
        const specs = united();
        const taken = await take(specs);
        pending = !taken.ok;
        if (taken.ok) observations.log("info", "The endpoints changed.", { endpoints: specs.length });
        else if (!signal.aborted) failed(paths.join(", "), taken.failure);
      }
    },
  });
}

/** An address that is named more than once is one endpoint: the first. */
export function uniteSpecs(specs: readonly EndpointSpec[]): readonly EndpointSpec[] {
  const byAddress = new Map<string, EndpointSpec>();
  for (const spec of specs) if (!byAddress.has(spec.address)) byAddress.set(spec.address, spec);
  return [...byAddress.values()];
}

async function readEndpoints(
  path: string,
  files: FileSystem,
  before: ReadFile | undefined,
  usual: RpcClientOptions | undefined,
): Promise<Result<ReadFile, string>> {
  const bytes = await attempt(() => files.readFile(path));
  if (!bytes.ok) return bytes;
  const text = new TextDecoder().decode(bytes.value);
  if (text === before?.text) return ok(before);
  const specs = parseEndpoints(text, usual);
  return specs.ok ? ok({ text, specs: specs.value }) : fail(specs.failure.join("; "));
}

async function pathsOf(pattern: string, files: FileSystem): Promise<Result<readonly string[], string>> {
  const slash = pattern.lastIndexOf("/");
  if (!pattern.slice(slash + 1).includes("*")) return ok([pattern]);
  const directory = pattern.slice(0, slash) || "/";
  const names = await attempt(() => files.list(directory));
  if (!names.ok) return names;
  return ok(names.value.map((name) => `${pattern.slice(0, slash)}/${name}`).filter((path) => matches(pattern, path)));
}

function matches(pattern: string, path: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/]*")}$`).test(path);
}

async function attempt<T>(act: () => Promise<T>): Promise<Result<T, string>> {
  try {
    return ok(await act());
  } catch (error) {
    if (error instanceof FileError) return fail(error.message);
    throw error;
  }
}
