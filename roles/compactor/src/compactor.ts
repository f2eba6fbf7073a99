/** The compactor of a bucket as a running role: pass after pass, with a pause between them. */
import { compileBlockSelector, type BlockSelectorOptions } from "@pleiad/blocks";
import {
  createCompactor,
  defaultBlockWork,
  defaultCompactor,
  type CompactorOptions,
  type CompactorStatus,
} from "@pleiad/compaction";
import { fail, ok, type Result } from "@pleiad/model";
import type { Bucket, Ports, Service } from "@pleiad/ports";

export interface CompactorRoleOptions {
  readonly name: string;
  /** The work folder, absolute, for this role alone. */
  readonly directory: string;
  /** Which blocks are this compactor's; by default all. */
  readonly selector?: BlockSelectorOptions;
  /** What differs from the defaults of `@pleiad/compaction`. */
  readonly compaction?: Partial<Omit<CompactorOptions, "work" | "isSelected">>;
  readonly workBytesMax?: number;
  /** From the end of a pass to the next one. */
  readonly waitIntervalMs?: number;
}

export const defaultWaitIntervalMs: number = 5 * 60_000;

/** After a pass that bucket or disk broke off: doubled each time, up to the usual pause. */
const firstRetryMs = 10_000;

export type CompactorPorts = Pick<Ports, "clock" | "files" | "observations" | "random">;

export interface CompactorRole extends Service {
  /** What runs, what is planned, what is halted and why. */
  status(): CompactorStatus;
}

const passEnded = new Error("the pass ended within its grace");

/** Why a compactor did not start. */
export interface CompactorRoleFailure {
  readonly kind: "options";
  readonly message: string;
}

/** The first pass begins at once. One compactor a stream is enough; a second one costs work and harms nothing. */
export function startCompactor(
  bucket: Bucket,
  options: CompactorRoleOptions,
  ports: CompactorPorts,
): Result<CompactorRole, CompactorRoleFailure> {
  const { name, directory, waitIntervalMs = defaultWaitIntervalMs } = options;
  const { clock, observations, random } = ports;
  const isSelected = options.selector === undefined ? ok(() => true) : compileBlockSelector(options.selector);
  if (!isSelected.ok) return fail({ kind: "options", message: `${name}: the selector: ${isSelected.failure}` });
  const made = createCompactor(
    bucket,
    {
      ...defaultCompactor,
      ...options.compaction,
      isSelected: isSelected.value,
      work: { ...defaultBlockWork, directory, workBytesMax: options.workBytesMax ?? defaultBlockWork.workBytesMax },
    },
    ports,
  );
  if (!made.ok) return fail({ kind: "options", message: `${name}: ${made.failure}` });
  const compactor = made.value;
  const stopping = new AbortController();
  let bug: string | undefined;

  async function run(): Promise<void> {
    for (let failures = 0; ;) {
      const outcome = await compactor.runPass(stopping.signal);
      failures = outcome.kind === "again" ? failures + 1 : 0;
      if (outcome.kind === "again") {
        const reason = outcome.reasons.join("; ").slice(0, 1000);
        observations.log("warn", "A pass over the bucket was not whole.", { name, reason, failures });
      }
      const pauseMs = failures === 0 ? waitIntervalMs : Math.min(waitIntervalMs, firstRetryMs * 2 ** (failures - 1));
      // Up to a tenth more, so that compactors that began together do not stay together.
      await clock.sleep(Math.round(pauseMs * (1 + random.float() / 10)), stopping.signal);
    }
  }

  const ended = run().catch((error: unknown) => {
    if (stopping.signal.aborted) return;
    bug = error instanceof Error ? error.message : String(error);
    observations.log("error", "The compactor ended by a bug.", { name, reason: bug });
  });
  observations.log("info", "The compactor runs.", { name, bucket: bucket.name });
  return ok({
    name,
    ready: () => {
      if (bug !== undefined) return { ready: false, reason: `ended by a bug: ${bug}` };
      return stopping.signal.aborted ? { ready: false, reason: "stopping" } : { ready: true };
    },
    status: () => compactor.status(),
    // A pass may be left anywhere: the next one sees in the bucket what is left to do.
    async stop(graceMs) {
      stopping.abort(new Error("the compactor stops"));
      const grace = new AbortController();
      const closed = ended.then(() => compactor.close()).finally(() => grace.abort(passEnded));
      await Promise.race([closed, clock.sleep(graceMs, grace.signal)]).catch(() => {});
    },
  });
}
