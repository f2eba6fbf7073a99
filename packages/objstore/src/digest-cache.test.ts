import { memoryFiles } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createDigestCache } from "./digest-cache.ts";

const status = { sizeBytes: 3, modifiedMs: 0, version: "v1" };
const digest = { md5: "0123456789abcdef0123456789abcdef", crc32: 7 };

/** A cache of a later process, and how many records it has read. */
async function reopened() {
  const files = memoryFiles();
  let reads = 0;
  const open = () =>
    createDigestCache("/digests", { ...files, readFile: (path) => (reads++, files.readFile(path)) }, async () => ({
      path: "/staged",
      file: await files.open("/staged", "create-new"),
    }));
  await open().keep("a", status, digest);
  return { cache: open(), reads: () => reads };
}

describe("the digest of an object", () => {
  it("is read once for all who ask at the same time, and not again for those who come later", async () => {
    const { cache, reads } = await reopened();
    expect(await Promise.all([1, 2, 3].map(() => cache.find("a", status)))).toEqual([digest, digest, digest]);
    expect(await cache.find("a", status)).toEqual(digest);
    expect(reads()).toBe(1);
  });

  it("counts only for those who ask for the bytes that it was taken of, though they ask at the same time", async () => {
    const { cache } = await reopened();
    const asked = [status, { ...status, version: "v2" }, { ...status, sizeBytes: 4 }];
    expect(await Promise.all(asked.map((one) => cache.find("a", one)))).toEqual([digest, undefined, undefined]);
  });
});
