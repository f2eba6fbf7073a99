import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeClock } from "@pleiad/node-ports";
import type { Plan } from "@pleiad/fleet";
import { afterAll, describe, expect, it } from "vitest";
import { superviseProcess, type SupervisedProcess } from "./supervised-process.ts";

const folder = mkdtempSync(join(tmpdir(), "pleiad-supervised-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function supervise(name: string): { readonly process: SupervisedProcess; readonly progress: number[] } {
  const progress: number[] = [];
  const process = superviseProcess(
    {
      name,
      entry: fileURLToPath(new URL("../testdata/crashing-process.ts", import.meta.url)),
      heapMiB: 64,
      order: {
        kind: "start",
        process: name,
        plan: {} as Plan,
        dataDirectory: folder,
        credential: undefined,
        ownTargets: [],
        logLevel: "info",
      },
      logDirectory: folder,
      onChange: () => {},
      onProgress: (done) => progress.push(done),
    },
    nodeClock(),
  );
  return { process, progress };
}

async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("a supervised process", () => {
  it("runs, reports, and stops when told", async () => {
    const { process, progress } = supervise("steady");
    await process.start();
    await until(() => process.status().roles.length > 0);
    expect(process.status()).toMatchObject({ state: "running", restarts: 0, residentBytes: 1 });
    expect(progress).toEqual([1]);
    await process.stop(1000);
    expect(process.status()).toMatchObject({ state: "stopped", pid: undefined });
  });

  it("that cannot start says why, in its own words, and is not tried again", async () => {
    const { process } = supervise("refuses");
    await expect(process.start()).rejects.toThrow(
      /^refuses: 127\.0\.0\.1:1: permission denied \(see .*refuses\.log\)$/,
    );
    expect(process.status().state).toBe("stopped");
  });

  it("that crashes is started again, and the crash is remembered", async () => {
    const { process } = supervise("crashes");
    await process.start();
    const first = process.status().pid;
    await until(() => process.status().restarts >= 1 && process.status().state === "running");
    expect(process.status().pid).not.toBe(first);
    expect(process.status().lastEnd).toBe("ended with code 3");
    await process.stop(1000);
    expect(process.status().state).toBe("stopped");
  });
});
