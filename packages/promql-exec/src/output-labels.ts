/** Tables from the series that come in to the series that go out: made once, by labels. */
import { hashLabels, labelsEqual, type Labels } from "@pleiad/model";
import type { Pace } from "./pace.ts";

export interface OutputLabels {
  readonly labels: readonly Labels[]; // each once
  readonly ids: Uint32Array; // by input index: index into `labels`
  readonly isMerging: boolean; // two inputs share an output
}

/** Renames all inputs and gives equal label sets one id. */
export async function outputLabels(
  inputs: readonly Labels[],
  rename: (labels: Labels, index: number) => Labels,
  pace: Pace,
): Promise<OutputLabels> {
  const ids = new Uint32Array(inputs.length);
  const table = createLabelIds();
  for (let i = 0; i < inputs.length; i++) {
    ids[i] = table.idOf(rename(inputs[i], i));
    if (pace.due()) await pace.rest();
  }
  return { labels: table.labels, ids, isMerging: table.labels.length < inputs.length };
}

export function sameLabels(labels: Labels): Labels {
  return labels;
}

export interface LabelIds {
  readonly labels: readonly Labels[]; // by id
  /** The id of a label set, a new one if it has none yet. */
  idOf(labels: Labels): number;
}

/** Label sets by number. A text for each as the key of a `Map` would take more memory than the labels themselves. */
export function createLabelIds(): LabelIds {
  const labels: Labels[] = [];
  let slots = new Int32Array(64).fill(-1); // ids by hash, open addressing, at most half full
  let hashes = new Uint32Array(32); // by id

  function grow() {
    const larger = new Uint32Array(2 * hashes.length);
    larger.set(hashes);
    hashes = larger;
    slots = new Int32Array(2 * slots.length).fill(-1);
    for (let id = 0; id < labels.length; id++) slots[freeSlot(hashes[id])] = id;
  }

  function freeSlot(hash: number): number {
    let slot = hash & (slots.length - 1);
    while (slots[slot] !== -1) slot = (slot + 1) & (slots.length - 1);
    return slot;
  }

  return {
    labels,
    idOf(one) {
      const hash = hashLabels(one);
      const mask = slots.length - 1;
      for (let slot = hash & mask; slots[slot] !== -1; slot = (slot + 1) & mask) {
        const id = slots[slot];
        if (hashes[id] === hash && labelsEqual(labels[id], one)) return id;
      }
      if (labels.length === hashes.length) grow();
      const id = labels.length;
      labels.push(one);
      hashes[id] = hash;
      slots[freeSlot(hash)] = id;
      return id;
    },
  };
}
