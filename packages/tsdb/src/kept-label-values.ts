/** What blocks answer about all values of a label: blocks do not change, and what they have together need not be united anew. */
import type { LabelsRequest } from "@pleiad/model";
import type { LocalBlock } from "./local-blocks.ts";

type Times = Pick<LabelsRequest, "minTimeMs" | "maxTimeMs">;

/** Starts in [startFromMs, startToMs) and ends in [endFromMs, endToMs) choose the same blocks. */
interface Choice {
  readonly startFromMs: number;
  readonly startToMs: number;
  readonly endFromMs: number;
  readonly endToMs: number;
}

/** Of each label the last answer. */
const labelsMax = 64;

export class KeptLabelValues {
  #blocks: readonly LocalBlock[] = [];
  readonly #kept = new Map<string, { readonly choice: Choice; readonly values: readonly string[] }>();

  /** What was kept of a question to the same of these blocks. */
  of(label: string, { minTimeMs, maxTimeMs }: Times, blocks: readonly LocalBlock[]): readonly string[] | undefined {
    if (blocks !== this.#blocks) return undefined;
    const kept = this.#kept.get(label);
    if (kept === undefined) return undefined;
    const { startFromMs, startToMs, endFromMs, endToMs } = kept.choice;
    const isSame = minTimeMs >= startFromMs && minTimeMs < startToMs && maxTimeMs >= endFromMs && maxTimeMs < endToMs;
    return isSame ? kept.values : undefined;
  }

  /** `blocks` are all there were when the question was asked; `values`, the whole answer of those of its time. */
  keep(label: string, times: Times, blocks: readonly LocalBlock[], values: readonly string[]): void {
    if (blocks !== this.#blocks) this.#kept.clear();
    this.#blocks = blocks;
    this.#kept.delete(label);
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size >= labelsMax) this.#kept.delete(oldest);
    this.#kept.set(label, { choice: choiceOf(times, blocks), values });
  }
}

/** A block is asked where it begins at the end of the question or before, and ends, exclusively, after its start. */
function choiceOf({ minTimeMs, maxTimeMs }: Times, blocks: readonly LocalBlock[]): Choice {
  let [startFromMs, startToMs, endFromMs, endToMs] = [-Infinity, Infinity, -Infinity, Infinity];
  for (const { meta } of blocks) {
    if (meta.maxTimeMs <= minTimeMs) startFromMs = Math.max(startFromMs, meta.maxTimeMs);
    else startToMs = Math.min(startToMs, meta.maxTimeMs);
    if (meta.minTimeMs <= maxTimeMs) endFromMs = Math.max(endFromMs, meta.minTimeMs);
    else endToMs = Math.min(endToMs, meta.minTimeMs);
  }
  return { startFromMs, startToMs, endFromMs, endToMs };
}
