/** Aggregates by group and step, put together from the partial ones of tasks. Slot of a group's step: group × steps + step. */
import { compensate, unreachable } from "@pleiad/model";
import { LeafUnfit } from "./leaf-feed.ts";
import { headerWord, type MemoryViews } from "./leaf-task.ts";
import type { SampleBudget } from "./limits.ts";

export interface GroupTotals {
  readonly groupCount: number;
  /** Makes room for so many groups, out of the budget. */
  reserve(groupCount: number): void;
  /** Adds what a task has of its groups; the first of `groups` are their numbers here. Tasks come in the order of their series. */
  addTask(views: MemoryViews, slab: number, groups: readonly number[]): void;
  has(slot: number): boolean;
  result(slot: number): number;
  /** Gives all of it back to the budget. */
  release(): void;
}

export type TotalKind = "sum" | "avg" | "count" | "min" | "max" | "group";

export function createGroupTotals(kind: TotalKind, stepCount: number, budget: SampleBudget): GroupTotals {
  const isSum = kind === "sum" || kind === "avg";
  const hasValues = kind !== "count" && kind !== "group";
  let groupCount = 0;
  let capacity = 0; // groups
  let counts = new Float64Array(0);
  let values = new Float64Array(0); // sums or extremes
  let compensations = new Float64Array(0);

  const reserve = (wanted: number) => {
    if (wanted <= groupCount) return;
    budget.take((wanted - groupCount) * stepCount);
    groupCount = wanted;
    if (wanted <= capacity) return;
    capacity = Math.max(wanted, Math.min(2 * capacity, capacity + 4096), 8);
    counts = grown(counts, capacity * stepCount);
    if (hasValues) values = grown(values, capacity * stepCount);
    if (isSum) compensations = grown(compensations, capacity * stepCount);
  };

  const addSums = (views: MemoryViews, at: TaskSlots, slot: number) => {
    for (let step = 0; step < stepCount; step++, slot++) {
      const count = views.words[at.counts + step];
      if (count === 0) continue;
      const sum = views.numbers[at.values + step];
      const compensation = views.numbers[at.compensations + step];
      if (counts[slot] === 0) {
        values[slot] = sum;
        compensations[slot] = compensation;
      } else {
        const before = values[slot];
        compensations[slot] = compensate(sum, before, compensations[slot]) + compensation;
        values[slot] = before + sum;
        // A mean of large numbers may be finite though their sum is not.
        if (kind === "avg" && Math.abs(values[slot]) === Infinity) throw new LeafUnfit();
      }
      counts[slot] += count;
    }
  };

  const addExtremes = (views: MemoryViews, at: TaskSlots, slot: number) => {
    for (let step = 0; step < stepCount; step++, slot++) {
      const count = views.words[at.counts + step];
      if (count === 0) continue;
      const value = views.numbers[at.values + step];
      const held = values[slot];
      const wins = kind === "min" ? value < held : value > held;
      if (counts[slot] === 0 || wins || held !== held) values[slot] = value;
      counts[slot] += count;
    }
  };

  const addCounts = (views: MemoryViews, at: TaskSlots, slot: number) => {
    for (let step = 0; step < stepCount; step++) counts[slot + step] += views.words[at.counts + step];
  };

  return {
    get groupCount() {
      return groupCount;
    },
    reserve,
    addTask(views, slab, groups) {
      const output = views.words[slab / 4 + headerWord.output];
      const localCount = views.words[slab / 4 + headerWord.groupCount];
      const slots = localCount * stepCount;
      const add = isSum ? addSums : hasValues ? addExtremes : addCounts;
      for (let local = 0; local < localCount; local++) {
        const group = groups[local];
        reserve(group + 1);
        const first = local * stepCount;
        const at: TaskSlots = {
          values: output / 8 + first,
          compensations: output / 8 + slots + first,
          counts: (output + 16 * slots) / 4 + first,
        };
        add(views, at, group * stepCount);
      }
    },
    has: (slot) => counts[slot] > 0,
    result(slot) {
      switch (kind) {
        case "sum":
          return values[slot] + compensations[slot];
        case "avg":
          return values[slot] / counts[slot] + compensations[slot] / counts[slot];
        case "min":
        case "max":
          return values[slot];
        case "count":
          return counts[slot];
        case "group":
          return 1;
        default:
          return unreachable(kind);
      }
    },
    release() {
      budget.give(groupCount * stepCount);
      groupCount = 0;
      capacity = 0;
      counts = new Float64Array(0);
      values = counts;
      compensations = counts;
    },
  };
}

/** Where the slots of a group begin in a task: indices of numbers and, for counts, of words. */
interface TaskSlots {
  readonly values: number;
  readonly compensations: number;
  readonly counts: number;
}

function grown(old: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length);
  larger.set(old);
  return larger;
}
