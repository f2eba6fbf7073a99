/** What every figure of the storage is measured with. */
import { readdirSync, statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { ProcessMeasures } from "../measured-process.ts";
import type { ReferenceData } from "../reference-data.ts";
import type { BlockTime } from "./jobs.ts";

export interface StorageSetting {
  readonly data: ReferenceData;
  readonly folder: string; // for what the figures write
  /** The first of four. */
  readonly port: number;
  /** How often what can be repeated is done. */
  readonly runs: number;
  /** How many of the fleet's the head is given. */
  readonly scrapes: number;
  /** How long memory must stay as it is to count as settled, and how long that is waited for. */
  readonly settleMs: number;
  readonly settleMsMax: number;
  readonly scrape: { readonly intervalMs: number; readonly windowMs: number };
  readonly note: (text: string) => void;
}

export function timeOf({ startMs, endMs }: ReferenceData): BlockTime {
  return { minTimeMs: startMs, maxTimeMs: endMs };
}

/** Of the blocks in a folder, and of nothing else there. */
export function blockFolderBytes(folder: string): number {
  const blocks = readdirSync(folder).filter((name) => /^[0-9A-Z]{26}$/.test(name));
  let bytes = 0;
  for (const block of blocks) {
    for (const entry of readdirSync(`${folder}/${block}`, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += statSync(`${entry.parentPath}/${entry.name}`).size;
    }
  }
  return bytes;
}

/** Resident memory once it stays within a hundredth of itself; the least that was seen. */
export async function settledBytes(process: ProcessMeasures, setting: StorageSetting): Promise<number> {
  const startMs = performance.now();
  let least = process.residentBytes();
  let calmSinceMs = startMs;
  while (performance.now() - calmSinceMs < setting.settleMs && performance.now() - startMs < setting.settleMsMax) {
    await pause(100);
    const bytes = process.residentBytes();
    if (bytes < least * 0.99) {
      least = bytes;
      calmSinceMs = performance.now();
    }
  }
  return least;
}
