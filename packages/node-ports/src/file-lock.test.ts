import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError } from "@pleiad/ports";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockFile } from "./file-lock.ts";

const isLinux = process.platform === "linux";
const hasFlock = spawnSync("flock", ["--version"]).status === 0;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pleiad-lock-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

async function isTaken(path: string): Promise<boolean> {
  try {
    await (await lockFile(path)).release();
    return false;
  } catch (error) {
    if (error instanceof FileError && error.code === "EEXIST") return true;
    throw error;
  }
}

describe("a locked file", () => {
  it.runIf(isLinux)("is kept from other processes until the holder dies", { timeout: 20_000 }, async () => {
    const path = join(directory, "lock");
    const program = `
      import { lockFile } from ${JSON.stringify(new URL("file-lock.ts", import.meta.url).href)};
      await lockFile(process.argv[1]);
      console.log("held");
      setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ["--input-type=module", "-e", program, path]);
    const ended = once(holder, "exit");
    try {
      await once(holder.stdout, "data");
      expect(await isTaken(path)).toBe(true);
    } finally {
      holder.kill("SIGKILL");
      await ended;
    }
    expect(await isTaken(path)).toBe(false);
  });

  it.runIf(isLinux && hasFlock)("is not taken from a process that has it under flock(2)", async () => {
    const path = join(directory, "lock");
    const holder = spawn("flock", [path, "sh", "-c", "echo held; read _"]);
    const ended = once(holder, "exit");
    await once(holder.stdout, "data");
    expect(await isTaken(path)).toBe(true);
    holder.stdin.end();
    await ended;
    expect(await isTaken(path)).toBe(false);
  });
});
