import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readRunningTwin, takeStateFolder, type RunningTwin } from "./state-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "pleiad-state-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const twin: RunningTwin = {
  pid: process.ppid,
  fleet: "x",
  startedMs: 0,
  consoleUrl: "http://127.0.0.1:1",
  apiUrls: [],
};

describe("a state folder", () => {
  it("is made where it is not, and keeps fleets apart", () => {
    const taken = takeStateFolder(join(folder, "a/b"));
    expect(taken.ok && taken.value.dataDirectory("seven-nodes")).toBe(join(folder, "a/b/fleets/seven-nodes"));
  });

  it("that cannot be written is refused by name", () => {
    writeFileSync(join(folder, "file"), "");
    const taken = takeStateFolder(join(folder, "file/state"));
    expect(taken).toEqual({
      ok: false,
      failure: `state folder ${folder}/file/state is not writable (ENOTDIR); choose another with --state`,
    });
  });

  it("where nothing can be made is refused, not waited for", () => {
    const taken = takeStateFolder("/proc/pleiad");
    expect(taken.ok ? "" : taken.failure).toMatch(/^state folder \/proc\/pleiad is not writable \(\w+\)/);
  });

  it("forgets a twin that was killed", () => {
    const taken = takeStateFolder(join(folder, "killed"));
    if (!taken.ok) throw new Error(taken.failure);
    taken.value.announce({ ...twin, pid: 2 ** 30 });
    expect(readRunningTwin(join(folder, "killed"))).toBeUndefined();
    expect(takeStateFolder(join(folder, "killed")).ok).toBe(true);
  });

  it("with half a note in it is free", () => {
    const path = join(folder, "half");
    expect(takeStateFolder(path).ok).toBe(true);
    writeFileSync(join(path, "twin.json"), '{"pid": 1');
    expect(readRunningTwin(path)).toBeUndefined();
  });
});
