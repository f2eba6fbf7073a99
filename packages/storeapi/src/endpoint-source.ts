/** The endpoints of a running querier, from all that names them: its own, those in files, and what DNS makes of either. */
import { ok, type Result } from "@pleiad/model";
import { sleepUnlessAborted } from "@pleiad/ports";
import { openEndpointFiles, uniteSpecs, type EndpointFilesOptions, type EndpointFilesPorts } from "./endpoint-files.ts";
import { createEndpointNames, type EndpointNamesOptions } from "./endpoint-names.ts";
import type { EndpointSpec } from "./endpoint.ts";

export interface EndpointSourceOptions {
  readonly endpoints: readonly EndpointSpec[];
  readonly files?: EndpointFilesOptions | undefined;
  /** Without it, addresses are host:port: one that is to be looked up cannot be reached. */
  readonly names?: EndpointNamesOptions | undefined;
}

export interface EndpointSource {
  readonly specs: readonly EndpointSpec[];
  /** Hands over what changed until the signal aborts. What is refused is handed over again. */
  follow(take: TakeSpecs, signal: AbortSignal): Promise<void>;
}

type TakeSpecs = (specs: readonly EndpointSpec[]) => Promise<Result<undefined, string>>;

/** Reads the files and looks up the names once; the failure names the file that cannot be used. */
export async function openEndpointSource(
  { endpoints, files: fileOptions, names: nameOptions }: EndpointSourceOptions,
  ports: EndpointFilesPorts,
): Promise<Result<EndpointSource, string>> {
  const { clock, observations } = ports;
  const opened = fileOptions === undefined ? undefined : await openEndpointFiles(fileOptions, ports);
  if (opened?.ok === false) return opened;
  const files = opened?.value;
  const names = nameOptions === undefined ? undefined : createEndpointNames(nameOptions, ports);
  // Of files and names, whichever changes, all that is known of the other counts as well.
  let changing: Promise<unknown> = Promise.resolve();
  const current = async (inFiles: readonly EndpointSpec[]) => {
    const named = uniteSpecs([...endpoints, ...inFiles]);
    return names === undefined ? named : uniteSpecs(await names.expand(named));
  };
  const inTurn = async <T>(act: () => Promise<T>): Promise<T> => {
    const done = changing.then(act);
    changing = done.catch(() => undefined);
    return await done;
  };

  async function followNames(intervalMs: number, take: TakeSpecs, signal: AbortSignal): Promise<void> {
    let pending = false;
    while (await sleepUnlessAborted(clock, intervalMs, signal)) {
      await inTurn(async () => {
        const changed = (await names?.refresh()) ?? false;
        if (signal.aborted || (!changed && !pending)) return;
        const specs = await current(files?.specs ?? []);
        const taken = await take(specs);
        pending = !taken.ok;
        if (taken.ok) observations.log("info", "Names of endpoints stand for others.", { endpoints: specs.length });
        else observations.log("error", "What names of endpoints stand for is no use.", { reason: taken.failure });
      });
    }
  }

  return ok({
    specs: await current(files?.specs ?? []),
    async follow(take, signal) {
      await Promise.all([
        files?.follow((specs) => inTurn(async () => await take(await current(specs))), signal),
        nameOptions === undefined ? undefined : followNames(nameOptions.intervalMs, take, signal),
      ]);
    },
  });
}
