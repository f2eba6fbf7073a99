import type { FileSystem } from "@pleiad/ports";
import { memoryFiles } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { removeTree } from "./block-folder.ts";

/** Files among which some paths are links to folders: all but the entry of one looks like the folder, as on a disk. */
function filesWithLinks(links: Readonly<Record<string, string>>): FileSystem {
  const files = memoryFiles();
  const left = new Map(Object.entries(links));
  return {
    ...files,
    list: (directory) => files.list(left.get(directory) ?? directory),
    entries: async (directory) => {
      const entries = await files.entries(left.get(directory) ?? directory);
      const linked = [...left.keys()].filter((path) => path.slice(0, path.lastIndexOf("/")) === directory);
      return [
        ...entries,
        ...linked.map((path) => ({ name: path.slice(path.lastIndexOf("/") + 1), kind: "other" as const })),
      ];
    },
    unlink: async (path) => {
      if (!left.delete(path)) await files.unlink(path);
    },
  };
}

describe("removing a tree", () => {
  it("removes a folder with all that is in it", async () => {
    const files = memoryFiles();
    await files.makeDirectory("/data/a/b/c");
    for (const path of ["/data/a/x", "/data/a/b/y", "/data/ab"]) await files.writeFileAtomic(path, Uint8Array.of(1));
    await removeTree(files, "/data/a");
    expect(await files.list("/data")).toEqual(["ab"]);
  });

  it("removes a file, also at the top", async () => {
    const files = memoryFiles();
    await files.writeFileAtomic("/x", Uint8Array.of(1));
    await removeTree(files, "/x");
    expect(await files.exists("/x")).toBe(false);
  });

  it("is content where there is nothing, and no folder either", async () => {
    await expect(removeTree(memoryFiles(), "/nowhere/at/all")).resolves.toBeUndefined();
  });

  it.each(["/data/a", "/data/a/link", "/data/link"])(
    "leaves alone what a link leads to: removal of %s",
    async (removed) => {
      const files = filesWithLinks({ "/data/a/link": "/elsewhere", "/data/link": "/elsewhere" });
      await files.makeDirectory("/data/a");
      await files.makeDirectory("/elsewhere");
      await files.writeFileAtomic("/elsewhere/precious", Uint8Array.of(1));
      await removeTree(files, removed);
      expect((await files.entries("/data")).map(({ name }) => `/data/${name}`)).not.toContain(removed);
      expect(await files.list("/elsewhere")).toEqual(["precious"]);
    },
  );
});
