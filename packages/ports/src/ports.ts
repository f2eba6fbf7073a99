import type { Clock } from "./clock.ts";
import type { FileSystem } from "./file-system.ts";
import type { Network } from "./network.ts";
import type { Observations } from "./observations.ts";
import type { Random } from "./random.ts";
import type { Threads } from "./threads.ts";

/**
 * The outside world, handed in. Below the worlds nothing reaches for time, chance, disk or network in any other way, so
 * that a whole hierarchy can run in one deterministic simulation.
 */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem;
  readonly network: Network;
  readonly observations: Observations;
  /** Absent where there is one thread only: whoever would use more does all the work itself then. */
  readonly threads?: Threads;
}

/** A running role. */
export interface Service {
  readonly name: string;
  ready(): { readonly ready: boolean; readonly reason?: string };
  /** Ends within about `graceMs`; what was acknowledged is durable when it resolves. */
  stop(graceMs: number): Promise<void>;
}
