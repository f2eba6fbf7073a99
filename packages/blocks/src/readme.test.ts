import { collectSeries, labelsFromRecord, plainSelect } from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { memoryFiles } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import { blockOf, openOptions, startMs, writerOptions, xorChunks } from "./block.fixtures.ts";
import { createBlockWriter, directoryBlockBytes, mergeSources, newUlid, openBlock } from "./index.ts";

it("the example of the README holds", async () => {
  const files = memoryFiles();
  const directory = "/data";
  await files.makeDirectory(directory);
  const ulid = newUlid(startMs, seededRandom(1));
  const labels = labelsFromRecord({ __name__: "up" });
  const head = await blockOf([{ labels: labelsFromRecord({ __name__: "down" }), samples: [[startMs, 0]] }]);
  const writer = await createBlockWriter(files, ["__name__", "up"], { ...writerOptions, directory, ulid });
  if (writer.ok) await writer.value.add(labels, xorChunks([[startMs, 1]])); // in label order
  if (writer.ok) await writer.value.finish(); // synced, and there under its name
  const block = await openBlock(directoryBlockBytes(files, `${directory}/${ulid}`), openOptions);
  const source = mergeSources(block.ok ? [block.value, head] : [head]); // one series where both have it
  const { signal } = new AbortController();
  const { series } = await collectSeries(source.select({ ...plainSelect, matchers: [] }, signal));
  expect(series).toHaveLength(2);
});
