/** Groups of an aggregation by number, for series that come one after the other in label order. */
import { onlyLabels, withoutLabels, type Labels } from "@pleiad/model";
import type { Grouping } from "./grouping.ts";
import { createLabelIds } from "./output-labels.ts";
import { metricSchemaLabels } from "./renamed-series.ts";

export interface GroupIds {
  readonly labels: readonly Labels[]; // by group
  groupOf(labels: Labels): number;
}

/** `dropsName`: the series have lost their names before they are grouped. */
export function createGroupIds({ without, grouping }: Grouping, options: { readonly dropsName: boolean }): GroupIds {
  if (without) return createGroupsWithout(new Set([...grouping, ...metricSchemaLabels]));
  return createGroupsBy(grouping.filter((name) => !options.dropsName || !metricSchemaLabels.has(name)));
}

function createGroupsWithout(names: ReadonlySet<string>): GroupIds {
  const table = createLabelIds();
  return { labels: table.labels, groupOf: (labels) => table.idOf(withoutLabels(labels, names)) };
}

/**
 * A tree of maps, a level a label, walked by the texts themselves: no key is put together. Neighbours in label order mostly
 * share their group, and the texts of one block are the same objects, so the last group is tried first.
 */
function createGroupsBy(names: readonly string[]): GroupIds {
  const table = createLabelIds();
  const wanted = new Set(names);
  const sorted = [...wanted];
  const values: string[] = sorted.map(() => "");
  const last: string[] = sorted.map(() => "");
  // Where each label stood in the series before: it mostly stands there again.
  const places = new Int32Array(sorted.length);
  const root: Level = new Map();
  let lastGroup = -1;
  return {
    labels: table.labels,
    groupOf(labels) {
      let isSame = lastGroup >= 0;
      for (let i = 0; i < sorted.length; i++) {
        const value = valueAt(labels, sorted[i], places, i);
        values[i] = value;
        if (value !== last[i]) {
          isSame = false;
          last[i] = value;
        }
      }
      if (isSame) return lastGroup;
      let level = root;
      for (let i = 0; i < values.length - 1; i++) {
        let next = level.get(values[i]);
        if (next === undefined || typeof next === "number") {
          next = new Map();
          level.set(values[i], next);
        }
        level = next;
      }
      const key = values.length === 0 ? "" : values[values.length - 1];
      let group = level.get(key);
      if (typeof group !== "number") {
        group = table.idOf(onlyLabels(labels, wanted));
        level.set(key, group);
      }
      lastGroup = group;
      return group;
    },
  };
}

type Level = Map<string, Level | number>;

function valueAt(labels: Labels, name: string, places: Int32Array, i: number): string {
  const place = places[i];
  if (labels[place] === name) return labels[place + 1];
  for (let at = 0; at < labels.length; at += 2) {
    if (labels[at] !== name) continue;
    places[i] = at;
    return labels[at + 1];
  }
  return "";
}
