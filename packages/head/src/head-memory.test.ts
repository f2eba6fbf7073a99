import { testPorts } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import { HeadChunkWriter } from "./head-chunk-writer.ts";
import { named, startMs, testOptions } from "./head.fixtures.ts";
import { HeadMemory } from "./head-memory.ts";

it("keeps no room for the open chunks of series that are gone", () => {
  const memory = new HeadMemory({ ...testOptions, retentionMs: 1000 });
  const { files } = testPorts();
  const chunkFiles = {
    directory: "/data",
    fileBytesMax: 1e6,
    fileSpanMs: 1e6,
    nextFileNumber: () => 1,
    isDraft: false,
  };
  const writer = new HeadChunkWriter(files, chunkFiles);
  let roomBytes = 0;
  for (let day = 0; day < 5; day++) {
    // Every day all series have other names.
    const fromMs = startMs + day * 86_400_000;
    for (let i = 0; i < 500; i++) {
      const series = memory.findOrCreate(named("up", { day: String(day), i: String(i) }));
      if ("kind" in series) throw new Error(series.kind);
      for (let sample = 0; sample < 50; sample++) memory.append(series, fromMs + sample, sample * i, 0, writer);
    }
    const gone = new Set(memory.index.all());
    for (const series of gone) memory.expire(series, fromMs + 1000);
    for (const series of gone) expect(series.isEmpty).toBe(true);
    memory.forget(gone);
    if (day === 0) roomBytes = memory.openRoom.byteLength;
  }
  expect(roomBytes).toBeGreaterThan(0);
  expect(memory.openRoom.byteLength).toBe(roomBytes);
});
