import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { runFileSystemAcceptance } from "@pleiad/ports/acceptance";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeFiles } from "./node-files.ts";

runFileSystemAcceptance("node", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pleiad-files-"));
  return { files: nodeFiles(), directory, close: () => rm(directory, { recursive: true }) };
});

describe("node files", () => {
  const files = nodeFiles();
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "pleiad-files-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it("takes an append back that the disk holds only in part", async () => {
    const path = join(directory, "log");
    const script = `
      import { nodeFiles } from ${JSON.stringify(join(import.meta.dirname, "node-files.ts"))};
      const file = await nodeFiles().open(${JSON.stringify(path)}, "append");
      await file.append(new Uint8Array(1000).fill(1));
      const sizes = [await file.append(new Uint8Array(10_000).fill(2)).catch((error) => error.code), await file.size()];
      await file.append(new Uint8Array(3096).fill(3));
      console.log(JSON.stringify([...sizes, await file.size(), [...await file.read(999, 2)]]));`;
    const scriptPath = join(directory, "append.mts");
    await writeFile(scriptPath, script);
    // Files of this process end at 8 * 512 bytes: the kernel writes that far and then refuses.
    const { stdout } = await promisify(execFile)("sh", [
      "-c",
      `trap "" XFSZ; ulimit -f 8; exec "$0" "$1"`,
      process.execPath,
      scriptPath,
    ]);
    expect(JSON.parse(stdout)).toEqual(["EIO", 1000, 4096, [1, 3]]);
  });

  it("says ENOSPC for a full disk", async () => {
    const file = await files.open("/dev/full", "append");
    await expect(file.append(Uint8Array.of(1))).rejects.toMatchObject({ name: "FileError", code: "ENOSPC" });
    await file.close();
  });

  it("does not write through a planted link, but reads through one unless told not to", async () => {
    const target = join(directory, "target");
    await files.writeFileAtomic(target, new TextEncoder().encode("kept"));
    const link = join(directory, "link");
    await symlink(target, link);
    for (const mode of ["append", "create-new", "read-no-link"] as const) {
      await expect(files.open(link, mode)).rejects.toMatchObject({ name: "FileError" });
    }
    await expect(files.status(link)).rejects.toMatchObject({ name: "FileError", code: "EACCES" });
    await (await files.open(target, "read-no-link")).close();
    expect(new TextDecoder().decode(await files.readFile(link))).toBe("kept");
    await files.writeFileAtomic(link, new TextEncoder().encode("replaced"));
    expect(new TextDecoder().decode(await files.readFile(target))).toBe("kept");
  });

  it("takes only absolute paths", async () => {
    await expect(files.readFile("relative")).rejects.toThrow("readFile relative: expected an absolute path");
  });
});
