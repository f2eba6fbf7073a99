/** Which streams are halted until a person acts, and what they are to know. */
import type { BlockMeta } from "@pleiad/blocks";
import type { CompactorMetrics } from "./compactor-metrics.ts";

/** What is to be done with which stream, for people. */
export interface PlannedWork {
  readonly group: string;
  readonly labels: string;
  readonly plan: string;
}

/** A stream that is not worked on until a person acts, or until other blocks are planned. */
export interface HaltedStream extends PlannedWork {
  /** What is wrong, with which blocks, and what to do. */
  readonly reason: string;
  readonly sinceMs: number;
}

export type WorkKind = "compact" | "downsample";

interface Halt {
  readonly kind: WorkKind;
  readonly stream: HaltedStream;
  /** The blocks that the work was to read: with others it is worth another try. */
  readonly inputs: string;
}

export class HaltedStreams {
  readonly #halts = new Map<string, Halt>(); // by the key of the work
  readonly #metrics: Pick<CompactorMetrics, "halted" | "streamHalted">;

  constructor(metrics: Pick<CompactorMetrics, "halted" | "streamHalted">) {
    this.#metrics = metrics;
    metrics.halted.set(0);
  }

  list(): readonly HaltedStream[] {
    return [...this.#halts.values()].map(({ stream }) => stream);
  }

  /** Gives the reason with what to do about it. */
  halt(
    kind: WorkKind,
    key: string,
    work: PlannedWork,
    inputs: readonly BlockMeta[],
    reason: string,
    nowMs: number,
  ): string {
    const whole = `${reason}. ${adviceFor(inputs)}`;
    this.#halts.set(key, { kind, stream: { ...work, reason: whole, sinceMs: nowMs }, inputs: textOf(inputs) });
    this.#metrics.halted.set(1);
    this.#metrics.streamHalted.set(1, work.group);
    return whole;
  }

  /** Halted, and the same blocks would be read again. */
  isHalted(key: string, inputs: readonly BlockMeta[]): boolean {
    const halt = this.#halts.get(key);
    if (halt === undefined) return false;
    if (halt.inputs === textOf(inputs)) return true;
    this.release(key);
    return false;
  }

  release(key: string): void {
    const halt = this.#halts.get(key);
    if (halt === undefined) return;
    this.#halts.delete(key);
    const { group } = halt.stream;
    if (!this.list().some((other) => other.group === group)) this.#metrics.streamHalted.set(0, group);
    this.#metrics.halted.set(this.#halts.size > 0 ? 1 : 0);
  }

  /** Of one kind of work, only the keys that are still planned. */
  keepOnly(kind: WorkKind, keys: ReadonlySet<string>): void {
    for (const [key, halt] of this.#halts) if (halt.kind === kind && !keys.has(key)) this.release(key);
  }
}

function textOf(inputs: readonly BlockMeta[]): string {
  return inputs.map(({ ulid }) => ulid).join(" ");
}

function adviceFor(inputs: readonly BlockMeta[]): string {
  return (
    "Other streams go on, and all blocks stay readable. Look at the blocks named (`pleiad bucket inspect`); then put a " +
    "no-compact-mark.json into the one to leave out, or a deletion-mark.json into the one to lose. The work was on " +
    inputs.map(({ ulid }) => ulid).join(", ")
  );
}
