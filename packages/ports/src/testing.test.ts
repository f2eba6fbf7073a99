import { describe, expect, it } from "vitest";
import {
  runBucketAcceptance,
  runClockAcceptance,
  runFileSystemAcceptance,
  runNetworkAcceptance,
  runThreadsAcceptance,
} from "./acceptance.ts";
import { FileError } from "./file-system.ts";
import { manualClock, memoryBucket, memoryFiles, memoryNetwork, sameThreads, type TestThread } from "./testing.ts";

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
