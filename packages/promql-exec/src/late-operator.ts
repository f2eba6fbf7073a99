/**
 * Operators that know only once `series` is done what they tell besides. Their getters stand in a class: for each object
 * that a literal with a getter makes, V8 makes a hidden class among the old objects, and that one keeps all that the getter
 * refers to, a whole query, until the next round through them.
 */
import type { Labels } from "@pleiad/model";
import type { NameDrops } from "./name-drops.ts";
import type { Operator, RowStream, StepBatch } from "./operator.ts";

/** As in `Operator`, but asked each time what only `series` tells. */
export interface LateOperatorParts {
  readonly description: string | (() => string);
  readonly inputs: readonly Operator[] | (() => readonly Operator[]);
  readonly series: Operator["series"];
  readonly next: Operator["next"];
  readonly rows?: () => RowStream | undefined;
  readonly hasDistinctLabels?: () => boolean | undefined;
  readonly dropsName?: () => NameDrops;
}

export function createLateOperator(parts: LateOperatorParts): Operator {
  return new LateOperator(parts);
}

class LateOperator implements Operator {
  readonly #parts: LateOperatorParts;

  constructor(parts: LateOperatorParts) {
    this.#parts = parts;
  }

  get description(): string {
    const { description } = this.#parts;
    return typeof description === "string" ? description : description();
  }

  get inputs(): readonly Operator[] {
    const { inputs } = this.#parts;
    return typeof inputs === "function" ? inputs() : inputs;
  }

  series(signal: AbortSignal): Promise<readonly Labels[]> {
    return this.#parts.series(signal);
  }

  next(out: StepBatch, signal: AbortSignal): Promise<number> {
    return this.#parts.next(out, signal);
  }

  get rows(): RowStream | undefined {
    return this.#parts.rows?.();
  }

  get hasDistinctLabels(): boolean | undefined {
    return this.#parts.hasDistinctLabels?.();
  }

  get dropsName(): NameDrops {
    return this.#parts.dropsName?.();
  }
}
