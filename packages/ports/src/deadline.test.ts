import { describe, expect, it } from "vitest";
import { sleepUnlessAborted, withDeadline } from "./deadline.ts";
import { manualClock } from "./testing.ts";

/** Settles with what its signal aborts with. */
async function reasonOf(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return signal.reason;
}

describe("work under a deadline", () => {
  it("is told when its time is over", async () => {
    const clock = manualClock();
    const reason = withDeadline(clock, 1000, new AbortController().signal, reasonOf);
    await clock.advance(1000);
    expect(await reason).toMatchObject({ name: "TimeoutError", message: "no end within 1000 ms" });
  });

  it("is told when its parent is, with the parent's reason", async () => {
    const parent = new AbortController();
    const reason = withDeadline(manualClock(), 1000, parent.signal, reasonOf);
    parent.abort("gone");
    expect(await reason).toBe("gone");
    expect(await withDeadline(manualClock(), 1000, parent.signal, reasonOf)).toBe("gone");
  });

  it("takes its timer along when it ends, in either way", async () => {
    const running = new Set<() => void>();
    const clock = {
      ...manualClock(),
      after: (_spanMs: number, act: () => void) => {
        running.add(act);
        return () => void running.delete(act);
      },
    };
    const { signal } = new AbortController();
    expect(await withDeadline(clock, 120_000, signal, async () => running.size)).toBe(1);
    const failed = withDeadline(clock, 120_000, signal, async () => {
      throw new Error("no answer");
    });
    await expect(failed).rejects.toThrow("no answer");
    expect(running.size).toBe(0);
  });
});

describe("a loop that runs until its signal aborts", () => {
  it("waits its time, and ends at once with the signal, also with one that had aborted", async () => {
    const clock = manualClock();
    const stop = new AbortController();
    const waits = [sleepUnlessAborted(clock, 1000, stop.signal), sleepUnlessAborted(clock, 5000, stop.signal)];
    await clock.advance(1000);
    stop.abort();
    expect(await Promise.all(waits)).toEqual([true, false]);
    expect(await sleepUnlessAborted(clock, 1000, stop.signal)).toBe(false);
  });

  it("fails where the clock does", async () => {
    const broken = { ...manualClock(), sleep: async () => await Promise.reject(new Error("no timer")) };
    await expect(sleepUnlessAborted(broken, 1000, new AbortController().signal)).rejects.toThrow("no timer");
  });
});
