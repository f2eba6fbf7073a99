/** Aggregates by group and step, put together from the partial ones of tasks. */
import { compensate } from "@pleiad/model";
import { LeafUnfit } from "./leaf-feed.ts";
import { headerWord, type MemoryViews } from "./leaf-task.ts";
import type { SampleBudget } from "./limits.ts";
import { pageBytes, type PagePool } from "./page-pool.ts";

export interface GroupTotals {
  readonly groupCount: number;
  /** Makes room for so many groups, out of the budget. */
  reserve(groupCount: number): void;
  /** Adds what a task has of its groups; the first of `groups` are their numbers here. Tasks come in the order of their series. */
  addTask(views: MemoryViews, slab: number, groups: readonly number[]): void;
  /** Adds to `counts[i]` how many groups have a result at step `firstStep + i`, for as many steps as there are counts. */
  countResults(firstStep: number, counts: Uint32Array): void;
  /**
   * Writes results of a group from `firstStep` on, for as many steps as `present` is long; tells whether there are any. `as`: the
   * kind of the totals, or one that these tell besides; sums and averages, each the other, counts and groups, all kinds.
   */
  readRow(group: number, firstStep: number, as: TotalKind, values: Float64Array, present: Uint8Array): boolean;
  /** Gives all of it back to the budget and the pool. */
  release(): void;
}

export type TotalKind = "sum" | "avg" | "count" | "min" | "max" | "group";

/** The totals of some groups. Slot of a group's step: place of the group on the page × steps + step. */
interface Page {
  readonly buffer: ArrayBuffer;
  readonly values: Float64Array; // sums or extremes
  readonly compensations: Float64Array;
  readonly counts: Uint32Array;
}

const slotBytes = 8 + 8 + 4;

/** What a slot that counts anything gives. */
const resultOf: Readonly<Record<TotalKind, (page: Page, slot: number) => number>> = {
  sum: ({ values, compensations }, slot) => values[slot] + compensations[slot],
  avg: ({ values, compensations, counts }, slot) => values[slot] / counts[slot] + compensations[slot] / counts[slot],
  min: ({ values }, slot) => values[slot],
  max: ({ values }, slot) => values[slot],
  count: ({ counts }, slot) => counts[slot],
  group: () => 1,
};

export function createGroupTotals(
  kind: TotalKind,
  stepCount: number,
  budget: SampleBudget,
  pool: PagePool,
): GroupTotals {
  const isSum = kind === "sum" || kind === "avg";
  const hasValues = kind !== "count" && kind !== "group";
  const groupsPerPage = Math.max(1, Math.floor(pageBytes / (slotBytes * stepCount)));
  const slotsPerPage = groupsPerPage * stepCount;
  const pages: Page[] = [];
  let groupCount = 0;

  const beginPage = () => {
    const bytes = slotsPerPage * slotBytes;
    const buffer = bytes <= pageBytes ? pool.take() : new ArrayBuffer(bytes);
    const counts = new Uint32Array(buffer, 16 * slotsPerPage, slotsPerPage);
    counts.fill(0);
    pages.push({
      buffer,
      values: new Float64Array(buffer, 0, slotsPerPage),
      compensations: new Float64Array(buffer, 8 * slotsPerPage, slotsPerPage),
      counts,
    });
  };
  const reserve = (wanted: number) => {
    if (wanted <= groupCount) return;
    budget.take((wanted - groupCount) * stepCount);
    groupCount = wanted;
    totals.groupCount = wanted;
    while (pages.length * groupsPerPage < wanted) beginPage();
  };
  const pageOf = (group: number) => pages[Math.floor(group / groupsPerPage)];
  const slotOf = (group: number, step: number) => (group % groupsPerPage) * stepCount + step;

  const addSums = (views: MemoryViews, at: TaskSlots, { values, compensations, counts }: Page, first: number) => {
    for (let step = 0, slot = first; step < stepCount; step++, slot++) {
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

  const addExtremes = (views: MemoryViews, at: TaskSlots, { values, counts }: Page, first: number) => {
    for (let step = 0, slot = first; step < stepCount; step++, slot++) {
      const count = views.words[at.counts + step];
      if (count === 0) continue;
      const value = views.numbers[at.values + step];
      const held = values[slot];
      const wins = kind === "min" ? value < held : value > held;
      if (counts[slot] === 0 || wins || held !== held) values[slot] = value;
      counts[slot] += count;
    }
  };

  const addCounts = (views: MemoryViews, at: TaskSlots, { counts }: Page, first: number) => {
    for (let step = 0; step < stepCount; step++) counts[first + step] += views.words[at.counts + step];
  };

  const totals: GroupTotals & { groupCount: number } = {
    groupCount,
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
        add(views, at, pageOf(group), slotOf(group, 0));
      }
    },
    countResults(firstStep, counts) {
      for (let group = 0; group < groupCount; group++) {
        const page = pageOf(group);
        for (let i = 0, slot = slotOf(group, firstStep); i < counts.length; i++, slot++) {
          if (page.counts[slot] > 0) counts[i]++;
        }
      }
    },
    readRow(group, firstStep, as, values, present) {
      const page = pageOf(group);
      const resultAt = resultOf[as];
      let isAny = 0;
      for (let i = 0, slot = slotOf(group, firstStep); i < present.length; i++, slot++) {
        const isThere = page.counts[slot] > 0 ? 1 : 0;
        present[i] = isThere;
        isAny |= isThere;
        values[i] = resultAt(page, slot);
      }
      return isAny !== 0;
    },
    release() {
      budget.give(groupCount * stepCount);
      groupCount = 0;
      totals.groupCount = 0;
      for (const { buffer } of pages.splice(0)) pool.give(buffer);
    },
  };
  return totals;
}

/** Where the slots of a group begin in a task: indices of numbers and, for counts, of words. */
interface TaskSlots {
  readonly values: number;
  readonly compensations: number;
  readonly counts: number;
}
