/** Tables from the series that come in to the series that go out: made once, by labels. */
import { labelsKey, type Labels } from "@pleiad/model";
import type { Pace } from "./pace.ts";

export interface OutputLabels {
  readonly labels: readonly Labels[]; // each once
  readonly ids: Uint32Array; // by input index: index into `labels`
  readonly isMerging: boolean; // two inputs share an output
}

/** Renames all inputs and gives equal label sets one id. */
export async function outputLabels(
  inputs: readonly Labels[],
  rename: (labels: Labels) => Labels,
  pace: Pace,
): Promise<OutputLabels> {
  const labels: Labels[] = [];
  const ids = new Uint32Array(inputs.length);
  const idOf = new Map<string, number>();
  for (let i = 0; i < inputs.length; i++) {
    const one = rename(inputs[i]);
    const key = labelsKey(one);
    let id = idOf.get(key);
    if (id === undefined) {
      id = labels.length;
      idOf.set(key, id);
      labels.push(one);
    }
    ids[i] = id;
    if (pace.due()) await pace.rest();
  }
  return { labels, ids, isMerging: labels.length < inputs.length };
}

export function sameLabels(labels: Labels): Labels {
  return labels;
}
