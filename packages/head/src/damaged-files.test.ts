/** Every file that a head writes, damaged anywhere: checkpoint, segments, log of late samples, closed chunks. */
import { seededRandom } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import { appendAll, dump, named, openTestHead, startMs } from "./head.fixtures.ts";

const options = { samplesPerChunk: 4, outOfOrderWindowMs: 1000, walSegmentBytes: 2048, checkpointBytesMin: 256 };

/** The files of a head with something in each, and its samples. */
async function writtenHead() {
  const ports = testPorts();
  const head = await openTestHead(ports, options);
  for (let t = 0; t < 40; t++) {
    const late = t > 2 && t % 3 === 0 ? [[named("a"), startMs + 10 * t - 15, -t] as const] : [];
    await appendAll(head, [[named("a"), startMs + 10 * t, t], [named(`b_${t % 5}`), startMs + 10 * t, t / 3], ...late]);
    if (t === 20) expect(await head.maintain(startMs + 400)).toMatchObject({ value: { isLogTruncated: true } });
  }
  const all = await dump(head);
  await head.close();
  const contents = ports.files.contents;
  for (const part of ["/wal/checkpoint.", "/wal/0", "/wbl/", "/chunks_head/"]) {
    expect(
      [...contents.keys()].some((path) => path.includes(part)),
      part,
    ).toBe(true);
  }
  return { contents, all: new Set(all) };
}

/** A head over the files, one of which is another. It must open. */
async function openedWith(contents: ReadonlyMap<string, Uint8Array>, path: string, changed: Uint8Array) {
  const ports = testPorts();
  for (const [other, content] of contents) {
    await ports.files.makeDirectory(other.slice(0, other.lastIndexOf("/")));
    ports.files.contents.set(other, other === path ? changed : content);
  }
  const head = await openTestHead(ports, options);
  return { lines: await dump(head), statistics: head.statistics(), head };
}

it("with bits flipped anywhere opens, invents nothing, and counts what it lost", async () => {
  const { contents, all } = await writtenHead();
  const seed = Date.now() % 1_000_000;
  const random = seededRandom(seed);
  for (const [path, bytes] of contents) {
    for (let round = 0; round < 120 && bytes.length > 0; round++) {
      const changed = bytes.slice();
      for (let flips = 1 + random.int(3); flips > 0; flips--) {
        const at = random.int(bytes.length);
        changed[at] = (changed[at] ?? 0) ^ (1 << random.int(8));
      }
      const { lines, statistics } = await openedWith(contents, path, changed);
      const where = `${path}, round ${round} of seed ${seed}`;
      expect(
        lines.filter((line) => !all.has(line)),
        where,
      ).toEqual([]);
      expect(new Set(lines).size, where).toBe(lines.length);
      const { repairedBytes, damagedRecords, skippedSamples, unreadRecords } = statistics;
      const isCounted = repairedBytes + damagedRecords + skippedSamples + unreadRecords > 0;
      if (lines.length < all.size) expect(isCounted, where).toBe(true);
    }
  }
});

it("cut short anywhere opens, invents nothing, and goes on", async () => {
  const { contents, all } = await writtenHead();
  for (const [path, bytes] of contents) {
    for (let length = 0; length < bytes.length; length += 7) {
      const { lines, head } = await openedWith(contents, path, bytes.slice(0, length));
      const where = `${path}, ${length} bytes`;
      expect(
        lines.filter((line) => !all.has(line)),
        where,
      ).toEqual([]);
      expect(new Set(lines).size, where).toBe(lines.length);
      await appendAll(head, [[named("after"), startMs + 1000, 1]]);
      expect(await dump(head), where).toHaveLength(lines.length + 1);
    }
  }
});
