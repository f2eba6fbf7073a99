/**
 * The samples of the reference fleet in a file, scrape after scrape, as agents meet them: whoever appends them holds one
 * scrape at a time, and its memory is its own.
 */
import { closeSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { referenceCluster, type FleetOptions } from "../reference-fleet.ts";

export interface SampleRows {
  readonly clusters: number;
  readonly scrapes: number; // of each cluster
  readonly series: number; // of each cluster
  /** Of each series: name, value, name, value …, sorted by name. `cluster` counts from 0. */
  labels(cluster: number): readonly (readonly string[])[];
  /** One scrape of one cluster. A value is NaN where the scrape was lost. */
  read(scrape: number, cluster: number, timestampsMs: Float64Array, values: Float64Array): void;
  close(): void;
}

interface Shape {
  readonly clusters: number;
  readonly scrapes: number;
  readonly series: number;
}

/** Writes the rows of a fleet into a folder; gives the number of samples that were not lost. */
export function writeSampleRows(folder: string, fleet: FleetOptions): number {
  mkdirSync(folder, { recursive: true });
  const file = openSync(`${folder}/rows`, "w");
  let samples = 0;
  let series = 0;
  for (let cluster = 0; cluster < fleet.clusters; cluster++) {
    const all = referenceCluster(cluster + 1, fleet);
    series = all.length;
    writeFileSync(labelsPath(folder, cluster), JSON.stringify(all.map(({ labels }) => labels)));
    const row = new Float64Array(2 * series);
    for (let scrape = 0; scrape < fleet.samples; scrape++) {
      for (const [i, { timestampsMs, values }] of all.entries()) {
        row[i] = timestampsMs[scrape] ?? NaN;
        row[series + i] = values[scrape] ?? NaN;
        if (!Number.isNaN(values[scrape])) samples++;
      }
      writeSync(file, row, 0, row.byteLength, (scrape * fleet.clusters + cluster) * row.byteLength);
    }
  }
  closeSync(file);
  const shape: Shape = { clusters: fleet.clusters, scrapes: fleet.samples, series };
  writeFileSync(`${folder}/shape.json`, JSON.stringify(shape));
  return samples;
}

export function openSampleRows(folder: string): SampleRows {
  const shape = JSON.parse(readFileSync(`${folder}/shape.json`, "utf8")) as Shape;
  const { clusters, series } = shape;
  const file = openSync(`${folder}/rows`, "r");
  const columnBytes = series * Float64Array.BYTES_PER_ELEMENT;
  return {
    ...shape,
    labels: (cluster) =>
      JSON.parse(readFileSync(labelsPath(folder, cluster), "utf8")) as readonly (readonly string[])[],
    read(scrape, cluster, timestampsMs, values) {
      const at = (scrape * clusters + cluster) * 2 * columnBytes;
      readSync(file, timestampsMs, 0, columnBytes, at);
      readSync(file, values, 0, columnBytes, at + columnBytes);
    },
    close: () => closeSync(file),
  };
}

const labelsPath = (folder: string, cluster: number) => `${folder}/labels-${String(cluster)}.json`;
