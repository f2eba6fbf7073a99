import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { collectionFlags, memoryFlags } from "./process-memory.ts";

/** Buffers of 64 KiB for 256 MiB in turn, as sockets have them; then how often the whole heap was walked. */
const readMuch = `
  const { performance, PerformanceObserver, constants } = require("node:perf_hooks");
  let walks = 0;
  new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) walks++;
  }).observe({ entryTypes: ["gc"] });
  const kept = Array.from({ length: 500_000 }, (_, i) => ({ i }));
  const read = (left) => {
    for (let i = 0; i < 64; i++) Buffer.allocUnsafeSlow(65536);
    if (left > 0) setImmediate(read, left - 1);
    else setTimeout(() => console.log(walks, kept.length), 50);
  };
  read(64);
`;

const walksWith = (flags: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, "-e", readMuch], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  return Number(stdout.split(" ")[0]);
};

describe("settings of a process", () => {
  it("are known to the Node that runs here, and keep buffers of sockets from walking the heap", () => {
    expect(walksWith(memoryFlags)).toBeLessThan(walksWith([]));
  });

  it.each(collectionFlags)("%s is no setting of V8's by itself", (flag) => {
    const [name] = flag.replace(/^--(no-)?/, "").split("=");
    const { stdout } = spawnSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
    const at = stdout.indexOf(`--${String(name)} `);
    expect(at).toBeGreaterThan(0);
    expect(stdout.slice(at).match(/default: (\S+)/u)?.[1]).not.toBe(flag);
  });
});
