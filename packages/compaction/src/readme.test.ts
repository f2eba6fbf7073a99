import { memoryBucket, testPorts } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import { createCompactor, defaultBlockWork, defaultCompactor } from "./index.ts";

it("the example of the README holds", async () => {
  const { signal } = new AbortController();
  const work = { ...defaultBlockWork, directory: "/work" };
  const made = createCompactor(memoryBucket(), { ...defaultCompactor, work }, testPorts());
  if (!made.ok) throw new Error(made.failure);
  expect(await made.value.runPass(signal)).toEqual({ kind: "done" });
  const { halted, planned, todo } = made.value.status();
  expect([halted, planned]).toEqual([[], []]);
  expect(todo).toEqual({ compactions: 0, compactionBlocks: 0, downsampleBlocks: 0, deletionBlocks: 0 });
});
