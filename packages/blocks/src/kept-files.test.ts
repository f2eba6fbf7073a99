/** What is kept is given back byte for byte, within the bound, through restarts and damage; what is not is a miss. */
import { seededRandom } from "@pleiad/ports";
import { manualClock, memoryFiles } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeptFiles } from "./kept-files.ts";
import { newUlid } from "./ulid.ts";

const directory = "/kept";

const random = seededRandom(7);
const ulids = Array.from({ length: 20 }, (_, i) => newUlid(1_700_000_000_000 + i * 3_600_000, random));

function ulidAt(hour: number): string {
  return ulids[hour] ?? "none";
}

function bytesOf(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random.int(256));
}

async function opened(files = memoryFiles(), bytesMax = 8000, fileBytesMax = 1000) {
  const clock = manualClock();
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  const kept = new KeptFiles(files, clock, { directory, bytesMax, fileBytesMax, onWarning });
  await kept.open();
  return { kept, files, clock, warnings };
}

const packsOf = ({ contents }: ReturnType<typeof memoryFiles>) =>
  [...contents.keys()].filter((path) => path.startsWith(directory));

describe("a file that is kept", () => {
  const ulid = ulidAt(1);

  it("is given back in part and as a whole, by the next process too", async () => {
    const first = await opened();
    const [index, chunks] = [bytesOf(700, 1), bytesOf(900, 2)];
    await first.kept.keep(ulid, "index", index);
    await first.kept.keep(ulid, "chunks/000001", chunks);
    expect(await first.kept.read(ulid, "index", 700, 10, 20)).toEqual(index.slice(10, 30));
    await first.kept.close();
    const second = await opened(first.files);
    expect(await second.kept.read(ulid, "index", 700, 0, 700)).toEqual(index);
    expect(await second.kept.read(ulid, "chunks/000001", 900, 899, 1)).toEqual(chunks.slice(899));
    const sizes = packsOf(first.files).map((path) => first.files.contents.get(path)?.length ?? NaN);
    expect(second.kept.heldBytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  it.each([
    ["of a size that the block does not tell", (kept: KeptFiles) => kept.read(ulid, "index", 699, 0, 1)],
    ["of another block", (kept: KeptFiles) => kept.read(ulidAt(2), "index", 700, 0, 1)],
    ["of another name", (kept: KeptFiles) => kept.read(ulid, "tombstones", 700, 0, 1)],
  ])("is none %s", async (_, read) => {
    const { kept } = await opened();
    await kept.keep(ulid, "index", bytesOf(700, 1));
    expect(await read(kept)).toBeUndefined();
  });

  it("is forgotten with its block, and the room comes back when a pack is empty", async () => {
    const { kept, files } = await opened();
    await kept.keep(ulid, "index", bytesOf(700, 1));
    await kept.close();
    const again = await opened(files);
    again.kept.forget(ulid);
    expect(again.kept.has(ulid, "index")).toBe(false);
    await again.kept.forgetOthers(new Map([[ulid, true]]));
    expect(packsOf(files)).toEqual([]);
  });

  it.each([
    ["is one up to the size of a file", 900, 8000, true],
    ["is none above it", 901, 8000, false],
    ["is none of more than an eighth of all that may be kept", 900, 7199, false],
    ["is none where nothing may be kept", 1, 0, false],
  ])("%s", async (_, size, bytesMax, isTaken) => {
    expect((await opened(memoryFiles(), bytesMax, 900)).kept.takes(size)).toBe(isTaken);
  });
});

it("the oldest packs go first, and the bound holds", async () => {
  const { kept, files } = await opened();
  const ulids = Array.from({ length: 20 }, (_, i) => ulidAt(i));
  for (const [i, ulid] of ulids.entries()) {
    await kept.keep(ulid, "index", bytesOf(600, i));
  }
  await kept.close();
  const again = await opened(files);
  const held = ulids.map((ulid) => again.kept.has(ulid, "index"));
  expect(held.indexOf(true)).toBeGreaterThan(0);
  expect(held.slice(held.indexOf(true))).not.toContain(false);
  expect(again.kept.heldBytes).toBeLessThanOrEqual(8000);
});

it("a pack that was torn or damaged gives what is whole before that, and never other bytes", async () => {
  const whole = await opened();
  const names = Array.from({ length: 5 }, (_, i) => ({ ulid: ulidAt(i), bytes: bytesOf(100 + i, i) }));
  for (const { ulid, bytes } of names) await whole.kept.keep(ulid, "index", bytes);
  await whole.kept.close();
  const pack = whole.files.contents.get(`${directory}/000001`)?.slice() ?? new Uint8Array();
  await fc.assert(
    fc.asyncProperty(fc.nat(pack.length), async (length) => {
      const files = memoryFiles();
      await files.makeDirectory(directory);
      await files.writeFileAtomic(`${directory}/000001`, pack.slice(0, length));
      const { kept } = await opened(files);
      for (const { ulid, bytes } of names) {
        const read = await kept.read(ulid, "index", bytes.length, 0, bytes.length);
        if (read !== undefined) expect(read).toEqual(bytes);
      }
      // It goes on in a new pack.
      const [ulid, bytes] = [ulidAt(9), bytesOf(50, 9)];
      await kept.keep(ulid, "index", bytes);
      await kept.close();
      expect(await (await opened(files)).kept.read(ulid, "index", 50, 0, 50)).toEqual(bytes);
    }),
    { numRuns: 60 },
  );
});

it("a full disk is left alone for a minute, told once, and nothing is lost but the copy", async () => {
  const { kept, files, clock, warnings } = await opened();
  const [first, second] = [ulidAt(1), ulidAt(2)];
  files.failFrom(1, "ENOSPC");
  await kept.keep(first, "index", bytesOf(10, 1));
  await clock.advance(1);
  expect([kept.has(first, "index"), kept.takes(10), warnings]).toEqual([
    false,
    false,
    ["Files of blocks cannot be kept on disk."],
  ]);
  files.heal();
  await clock.advance(60_000);
  await kept.keep(second, "index", bytesOf(10, 2));
  await kept.close();
  expect((await opened(files)).kept.has(second, "index")).toBe(true);
  expect(warnings).toHaveLength(1);
});
