/** A disk of a few megabytes that a test can fill: a file system in memory, where this machine lets the test mount one. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { temporaryFolder } from "./twin-under-test.ts";

export interface SmallDisk {
  readonly path: string;
  /** Leaves no more than this free. */
  fill(freeBytes: number): void;
  /** Makes room again. */
  free(): void;
  remove(): void;
}

/** Undefined where mounting is not allowed. */
export function openSmallDisk(sizeBytes: number): SmallDisk | undefined {
  const folder = temporaryFolder();
  const path = `${folder.path}/disk`;
  mkdirSync(path);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", path]).status !== 0) {
    folder.remove();
    return undefined;
  }
  const ballast = `${path}/ballast`;
  return {
    path,
    fill: (freeBytes) => {
      const { bavail, bsize } = statfsSync(path);
      writeFileSync(ballast, new Uint8Array(Math.max(0, bavail * bsize - freeBytes)), { flag: "a" });
    },
    free: () => rmSync(ballast, { force: true }),
    remove: () => {
      // Also where a test that failed left files open.
      spawnSync("umount", ["--lazy", path]);
      folder.remove();
    },
  };
}
