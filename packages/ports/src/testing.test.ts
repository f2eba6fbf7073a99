import { describe, expect, it } from "vitest";
import {
  runBucketAcceptance,
  runClockAcceptance,
  runFileSystemAcceptance,
  runNetworkAcceptance,
  runThreadsAcceptance,
} from "./acceptance.ts";
import { FileError } from "./file-system.ts";
import { seededRandom } from "./random.ts";
import {
  forgetfulFiles,
  manualClock,
  memoryBucket,
  memoryFiles,
  memoryNetwork,
  sameThreads,
  type TestThread,
} from "./testing.ts";

runClockAcceptance("manual", () => {
  const clock = manualClock();
  return { clock, pass: (spanMs) => clock.advance(spanMs) };
});

runBucketAcceptance("memory", async () => ({ bucket: memoryBucket(), close: async () => {} }));

runThreadsAcceptance(
  "none",
  () => sameThreads(1),
  (thread) => {
    const call = thread.call({ add: 1 });
    (thread as TestThread).crash();
    return call;
  },
);

runFileSystemAcceptance("memory", async () => {
  const files = memoryFiles();
  await files.makeDirectory("/data");
  return { files, directory: "/data", close: async () => {} };
});

runFileSystemAcceptance("forgetful", async () => {
  const files = forgetfulFiles(memoryFiles());
  await files.makeDirectory("/data");
  return { files, directory: "/data", close: async () => {} };
});

runNetworkAcceptance("memory", async () => {
  const clock = manualClock();
  return {
    network: memoryNetwork(clock),
    address: "host:0",
    nobodyAddress: "nobody:9090",
    pass: (spanMs) => clock.advance(spanMs),
    close: async () => {},
  };
});

describe("memory files", () => {
  it("fail from the nth mutating operation on, until they are healed", async () => {
    const files = memoryFiles();
    const file = await files.open("/log", "append");
    await file.append(Uint8Array.of(1));
    files.failFrom(2, "ENOSPC");
    await file.append(Uint8Array.of(2));
    await expect(file.append(Uint8Array.of(3))).rejects.toEqual(new FileError("ENOSPC", "append", "/log"));
    await expect(files.unlink("/log")).rejects.toThrow("ENOSPC");
    files.heal();
    await file.append(Uint8Array.of(4));
    expect([...(files.contents.get("/log") ?? [])]).toEqual([1, 2, 4]);
  });
});

describe("forgetful files", () => {
  const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? "-" : new TextDecoder().decode(bytes));

  /** All that may be found at the paths, over many chances. */
  async function foundAfter(
    act: (files: ReturnType<typeof forgetfulFiles>) => Promise<void>,
    paths: readonly string[],
  ) {
    const files = forgetfulFiles(memoryFiles());
    await act(files);
    const found = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const survivors = memoryFiles();
      await files.surviveIn(survivors, seededRandom(seed));
      found.add(paths.map((path) => text(survivors.contents.get(path)).replaceAll("\0", "0")).join(" "));
    }
    return [...found].sort();
  }
  const write = async (files: ReturnType<typeof forgetfulFiles>, path: string, ...parts: readonly string[]) => {
    const file = await files.open(path, "append");
    for (const part of parts) {
      if (part === "sync") await file.datasync();
      else await file.append(new TextEncoder().encode(part));
    }
    await file.close();
  };

  it.each<readonly [string, (files: ReturnType<typeof forgetfulFiles>) => Promise<void>, readonly string[]]>([
    [
      "keep what is synced, name and bytes",
      async (files) => {
        await write(files, "/a", "xy", "sync");
        await files.syncDirectory("/");
      },
      ["xy -"],
    ],
    ["may lose a name that is not", async (files) => await write(files, "/a", "xy", "sync"), ["- -", "xy -"]],
    [
      "may lose bytes that are not, or find zeros",
      async (files) => {
        await write(files, "/a", "x", "sync", "y");
        await files.syncDirectory("/");
      },
      ["x -", "x0 -", "xy -"],
    ],
    [
      "have a file under its old name or its new one",
      async (files) => {
        await write(files, "/a", "x", "sync");
        await files.syncDirectory("/");
        await files.rename("/a", "/b");
      },
      ["- x", "x -"],
    ],
    [
      "may have back what was removed",
      async (files) => {
        await files.writeFileAtomic("/a", new TextEncoder().encode("x"));
        await files.unlink("/a");
      },
      ["- -", "x -"],
    ],
    [
      "of a removal that is synced have nothing",
      async (files) => {
        await files.writeFileAtomic("/a", new TextEncoder().encode("x"));
        await files.unlink("/a");
        await files.syncDirectory("/");
      },
      ["- -"],
    ],
  ])("%s", async (_rule, act, expected) => {
    expect(await foundAfter(act, ["/a", "/b"])).toEqual(expected);
  });
});
