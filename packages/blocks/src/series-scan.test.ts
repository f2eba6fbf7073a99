import { formatLabels, labelsFromRecord } from "@pleiad/model";
import { memoryFiles } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { openOptions, startMs, testUlid, writeBlock } from "./block.fixtures.ts";
import { directoryBlockBytes } from "./block-bytes.ts";
import { openBlock } from "./block.ts";

/** Each series names symbols of many pages; the texts are of one byte a letter, of more, and long. */
const series = Array.from({ length: 3000 }, (_, i) => ({
  labels: labelsFromRecord({
    __name__: `metric_${String(i % 11)}`,
    id: `${String((i * 7919) % 3000)}-${"é".repeat(i % 40)}${"x".repeat(i % 7)}`,
    pod: `pod-${String((i * 104_729) % 3000)}`,
  }),
  samples: [[startMs + i, i]] as const,
}));

async function scan(cacheBytesMax: number) {
  const files = memoryFiles();
  await writeBlock(files, series);
  const bytes = directoryBlockBytes(files, `/data/${testUlid}`);
  let reads = 0;
  const counted = {
    ...bytes,
    read: (...call: Parameters<typeof bytes.read>) => {
      reads++;
      return bytes.read(...call);
    },
  };
  const opened = await openBlock(counted, { ...openOptions, cacheBytesMax });
  if (!opened.ok) throw new Error(opened.failure.kind);
  reads = 0;
  const labels: string[] = [];
  for await (const one of opened.value.everySeries(new AbortController().signal)) labels.push(formatLabels(one.labels));
  return { labels, reads };
}

describe("every series of a block", () => {
  it("costs a read of the series, one of the chunks, and one of the symbols where a small cache cannot hold them", async () => {
    const roomy = await scan(1 << 24);
    const tight = await scan(1);
    expect(tight.labels).toEqual(roomy.labels);
    expect(new Set(roomy.labels)).toEqual(new Set(series.map(({ labels }) => formatLabels(labels))));
    expect([roomy.reads, tight.reads]).toEqual([2, 3]);
  });
});
