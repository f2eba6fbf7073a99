import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileError, type FileSystem } from "./file-system.ts";

export interface FileSystemUnderTest {
  readonly files: FileSystem;
  readonly directory: string; // there, empty, and for the test alone
  close(): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

export function runFileSystemAcceptance(name: string, open: () => Promise<FileSystemUnderTest>): void {
  describe(`file system: ${name}`, () => {
    let under: FileSystemUnderTest;
    let files: FileSystem;
    let at: (name: string) => string;

    beforeEach(async () => {
      under = await open();
      files = under.files;
      at = (name) => `${under.directory}/${name}`;
    });
    afterEach(() => under.close());

    const write = (name: string, content: string) => files.writeFileAtomic(at(name), bytes(content));
    const contentOf = async (name: string) => text(await files.readFile(at(name)));
    const codeOf = async (act: Promise<unknown>) => {
      try {
        await act;
      } catch (error) {
        if (error instanceof FileError) return error.code;
        throw error;
      }
      return "no error";
    };

    describe("an open file", () => {
      it("grows at its end by what is appended", async () => {
        const file = await files.open(at("log"), "append");
        await file.append(bytes("one "));
        await file.append(bytes("two"));
        expect(await file.size()).toBe(7);
        await file.close();
        expect(await contentOf("log")).toBe("one two");
      });

      it("is appended to after what an earlier opening left", async () => {
        await write("log", "old ");
        const file = await files.open(at("log"), "append");
        await file.append(bytes("new"));
        await file.close();
        expect(await contentOf("log")).toBe("old new");
      });

      it("takes appends that were not waited for in their order", async () => {
        const file = await files.open(at("log"), "append");
        await Promise.all(["a", "b", "c", "d"].map((part) => file.append(bytes(part))));
        await file.close();
        expect(await contentOf("log")).toBe("abcd");
      });

      it.each([
        ["from the middle", 2, 3, "llo"],
        ["fewer at the end", 4, 100, "o"],
        ["nothing past the end", 9, 5, ""],
        ["nothing when asked for nothing", 0, 0, ""],
        ["what there is when asked for too much to hold", 0, 2 ** 40, "hello"],
      ])("reads %s", async (_rule, offset, length, expected) => {
        await write("greeting", "hello");
        const file = await files.open(at("greeting"), "read");
        expect(text(await file.read(offset, length))).toBe(expected);
        await file.close();
      });

      it("gives a read to the caller to keep and change", async () => {
        await write("greeting", "hello");
        const file = await files.open(at("greeting"), "read");
        (await file.read(0, 5)).fill(0);
        expect(text(await file.read(0, 5))).toBe("hello");
        await file.close();
      });

      it("can be read in every mode", async () => {
        const created = await files.open(at("a"), "create-new");
        await created.append(bytes("x"));
        expect(text(await created.read(0, 1))).toBe("x");
        await created.close();
        const appended = await files.open(at("a"), "append");
        expect(text(await appended.read(0, 1))).toBe("x");
        await appended.close();
      });

      it("is cut short or filled with zeros by truncate, and goes on from there", async () => {
        const file = await files.open(at("log"), "append");
        await file.append(bytes("hello"));
        await file.truncate(2);
        await file.append(bytes("y"));
        expect(text(await file.read(0, 10))).toBe("hey");
        await file.truncate(5);
        expect([...(await file.read(0, 10))]).toEqual([...bytes("hey"), 0, 0]);
        await file.datasync();
        await file.close();
      });

      it("stays open when its name changes or goes", async () => {
        const file = await files.open(at("log"), "append");
        await file.append(bytes("a"));
        await files.rename(at("log"), at("sealed"));
        await file.append(bytes("b"));
        expect(await contentOf("sealed")).toBe("ab");
        await files.unlink(at("sealed"));
        await file.append(bytes("c"));
        expect(text(await file.read(0, 10))).toBe("abc");
        await file.close();
        expect(await files.exists(at("sealed"))).toBe(false);
      });

      it("keeps its content when another file takes its name", async () => {
        await write("config", "old");
        const file = await files.open(at("config"), "read");
        await write("config", "new!");
        expect(text(await file.read(0, 10))).toBe("old");
        expect(await contentOf("config")).toBe("new!");
        await file.close();
      });

      it("is closed once, and of no use afterwards", async () => {
        const file = await files.open(at("log"), "append");
        await file.close();
        await file.close();
        await expect(async () => file.append(bytes("x"))).rejects.toThrow("closed file");
      });
    });

    describe("the status of a file", () => {
      const statusOf = async (name: string) => {
        const file = await files.open(at(name), "read");
        const status = await file.status();
        await file.close();
        return status;
      };

      it("is told by its path too, and there is none of a directory, or of nothing", async () => {
        await write("a", "hello");
        expect(await files.status(at("a"))).toEqual(await statusOf("a"));
        await files.makeDirectory(at("folder"));
        await expect(files.status(at("folder"))).rejects.toMatchObject({ code: "EISDIR" });
        await expect(files.status(at("nothing"))).rejects.toMatchObject({ code: "ENOENT" });
        await expect(files.status(at("a/b"))).rejects.toMatchObject({ code: "ENOTDIR" });
      });

      it("has its size and the time of its last change", async () => {
        await write("a", "hello");
        const { sizeBytes, modifiedMs } = await statusOf("a");
        expect([sizeBytes, Number.isInteger(modifiedMs)]).toEqual([5, true]);
      });

      it("has a version that stays when it is read or renamed, and is no other file's", async () => {
        await write("a", "hello");
        await write("b", "hello");
        const { version } = await statusOf("a");
        await contentOf("a");
        await files.rename(at("a"), at("c"));
        expect((await statusOf("c")).version).toBe(version);
        expect((await statusOf("b")).version).not.toBe(version);
      });

      it("has another version once its bytes have changed", async () => {
        const file = await files.open(at("log"), "append");
        const versions = [(await file.status()).version];
        for (const change of [() => file.append(bytes("x")), () => file.truncate(0)]) {
          // File systems tell changes apart that are some milliseconds apart.
          await new Promise((resolve) => setTimeout(resolve, 20));
          await change();
          versions.push((await file.status()).version);
        }
        await file.close();
        expect(new Set(versions).size).toBe(3);
      });
    });

    describe("writeFileAtomic", () => {
      it("makes a file and replaces it", async () => {
        await write("config", "one");
        await write("config", "two, longer");
        expect(await contentOf("config")).toBe("two, longer");
      });

      it("leaves nothing but the file", async () => {
        await write("config", "one");
        expect(await files.list(under.directory)).toEqual(["config"]);
      });

      it("ends with one of the contents when several are written at once", async () => {
        const contents = Array.from({ length: 10 }, (_, i) => String(i).repeat(1000 + i));
        await Promise.all(contents.map((content) => write("config", content)));
        expect(contents).toContain(await contentOf("config"));
        expect(await files.list(under.directory)).toEqual(["config"]);
      });

      it("takes an empty content", async () => {
        await write("config", "");
        expect((await files.readFile(at("config"))).length).toBe(0);
      });
    });

    describe("directories", () => {
      it("are made with their parents, as often as wanted", async () => {
        await files.makeDirectory(at("a/b/c"));
        await files.makeDirectory(at("a/b/c"));
        await write("a/b/c/file", "x");
        expect(await files.list(at("a/b"))).toEqual(["c"]);
        expect(await files.exists(at("a"))).toBe(true);
      });

      it("list their names by UTF-16 unit", async () => {
        for (const name of ["b", "a", "10", "9", "\u{1F600}", "\uFF5E", "B"]) await write(name, "");
        expect(await files.list(under.directory)).toEqual(["10", "9", "B", "a", "b", "\u{1F600}", "\uFF5E"]);
      });

      it("tell files and directories apart", async () => {
        await write("b", "");
        await files.makeDirectory(at("a/inner"));
        expect(await files.entries(under.directory)).toEqual([
          { name: "a", kind: "directory" },
          { name: "b", kind: "file" },
        ]);
      });

      it("move with all they hold", async () => {
        await files.makeDirectory(at("block.tmp/chunks"));
        await write("block.tmp/chunks/000001", "x");
        await files.rename(at("block.tmp"), at("block"));
        expect(await contentOf("block/chunks/000001")).toBe("x");
        expect(await files.exists(at("block.tmp"))).toBe(false);
      });

      it("are removed and synced", async () => {
        await files.makeDirectory(at("a"));
        await files.syncDirectory(at("a"));
        await files.removeDirectory(at("a"));
        expect(await files.exists(at("a"))).toBe(false);
      });
    });

    it("rename replaces a directory only if it is empty", async () => {
      for (const name of ["block", "empty", "full"]) await files.makeDirectory(at(name));
      for (const name of ["block", "full"]) await files.writeFileAtomic(at(`${name}/index`), bytes(name));
      await expect(files.rename(at("block"), at("full"))).rejects.toMatchObject({ code: "ENOTEMPTY" });
      await files.rename(at("block"), at("empty"));
      expect(text(await files.readFile(at("empty/index")))).toBe("block");
      expect(text(await files.readFile(at("full/index")))).toBe("full");
      expect(await files.exists(at("block"))).toBe(false);
    });

    it("rename replaces a file", async () => {
      await write("a", "new");
      await write("b", "old");
      await files.rename(at("a"), at("b"));
      expect(await contentOf("b")).toBe("new");
      expect(await files.exists(at("a"))).toBe(false);
    });

    it("link gives a file a second name, which stays when the first one goes", async () => {
      await write("a", "content");
      await files.link(at("a"), at("b"));
      await files.unlink(at("a"));
      expect(await contentOf("b")).toBe("content");
    });

    it("link lets one of many have a name", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          await write(`from-${i}`, `writer ${i}`);
          return codeOf(files.link(at(`from-${i}`), at("name")));
        }),
      );
      expect(outcomes.filter((code) => code === "no error")).toHaveLength(1);
      expect(outcomes.filter((code) => code === "EEXIST")).toHaveLength(7);
      expect(await contentOf("name")).toBe(`writer ${outcomes.indexOf("no error")}`);
    });

    it("tells how much room there is", async () => {
      expect(await files.freeBytes(under.directory)).toBeGreaterThan(0);
    });

    it("finds nothing below a file", async () => {
      await write("file", "");
      expect(await files.exists(at("file/x"))).toBe(false);
    });

    const failures: readonly (readonly [string, () => Promise<unknown>, string])[] = [
      ["opening what is not there to read", () => files.open(at("none"), "read"), "ENOENT"],
      ["opening a directory to read", () => files.open(at("directory"), "read"), "EISDIR"],
      ["creating what is there", () => files.open(at("file"), "create-new"), "EEXIST"],
      ["appending in a directory that is not there", () => files.open(at("none/file"), "append"), "ENOENT"],
      ["appending to a directory", () => files.open(at("directory"), "append"), "EISDIR"],
      ["opening below a file", () => files.open(at("file/x"), "append"), "ENOTDIR"],
      ["reading what is not there", () => files.readFile(at("none")), "ENOENT"],
      ["reading a directory as a file", () => files.readFile(at("directory")), "EISDIR"],
      [
        "writing into a directory that is not there",
        () => files.writeFileAtomic(at("none/file"), bytes("x")),
        "ENOENT",
      ],
      ["writing over a directory", () => files.writeFileAtomic(at("directory"), bytes("x")), "EISDIR"],
      ["renaming what is not there", () => files.rename(at("none"), at("x")), "ENOENT"],
      ["renaming into a directory that is not there", () => files.rename(at("file"), at("none/x")), "ENOENT"],
      ["renaming a file over a directory", () => files.rename(at("file"), at("directory")), "EISDIR"],
      ["linking what is not there", () => files.link(at("none"), at("x")), "ENOENT"],
      ["linking to a name that is taken", () => files.link(at("file"), at("full")), "EEXIST"],
      ["linking into a directory that is not there", () => files.link(at("file"), at("none/x")), "ENOENT"],
      ["unlinking what is not there", () => files.unlink(at("none")), "ENOENT"],
      ["unlinking a directory", () => files.unlink(at("directory")), "EISDIR"],
      ["listing what is not there", () => files.list(at("none")), "ENOENT"],
      ["listing the entries of a file", () => files.entries(at("file")), "ENOTDIR"],
      ["listing a file", () => files.list(at("file")), "ENOTDIR"],
      ["making a directory over a file", () => files.makeDirectory(at("file")), "EEXIST"],
      ["making a directory below a file", () => files.makeDirectory(at("file/x")), "ENOTDIR"],
      ["removing a directory that is not there", () => files.removeDirectory(at("none")), "ENOENT"],
      ["removing a directory with something in it", () => files.removeDirectory(at("full")), "ENOTEMPTY"],
      ["removing a file as a directory", () => files.removeDirectory(at("file")), "ENOTDIR"],
      ["syncing a directory that is not there", () => files.syncDirectory(at("none")), "ENOENT"],
    ];
    it.each(failures)("%s fails", async (_rule, act, code) => {
      await write("file", "content");
      await files.makeDirectory(at("directory"));
      await files.makeDirectory(at("full/inner"));
      expect(await codeOf(act())).toBe(code);
      expect(await files.list(under.directory)).toEqual(["directory", "file", "full"]);
    });

    it("locks a file for one until it is released, and keeps its content", async () => {
      await write("lock", "content");
      const held = await files.lock(at("lock"));
      expect(await codeOf(files.lock(at("lock")))).toBe("EEXIST");
      await (await files.lock(at("other"))).release();
      await held.release();
      await (await files.lock(at("lock"))).release();
      expect(await contentOf("lock")).toBe("content");
      expect(await codeOf(files.lock(at("none/lock")))).toBe("ENOENT");
    });

    it("names operation and path in an error", async () => {
      await expect(files.readFile(at("none"))).rejects.toThrow(`ENOENT: readFile ${at("none")}`);
    });
  });
}
