import { describe, expect, it } from "vitest";
import { pacedYield } from "./paced-yield.ts";
import { manualClock } from "./testing.ts";

/** A clock whose time is `nowMs`, and what was done under it, in order. */
function scene() {
  const done: string[] = [];
  const time = { nowMs: 0 };
  const clock = {
    ...manualClock(),
    monotonicMs: () => time.nowMs,
    yield: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      done.push("others");
    },
  };
  const pause = pacedYield(clock);
  const work = async (name: string, pieces: number) => {
    for (let piece = 0; piece < pieces; piece++) {
      done.push(name);
      time.nowMs += 2;
      await pause();
    }
  };
  return { done, work };
}

describe("a paced yield", () => {
  it("lets others run after each 5 ms of work", async () => {
    const { done, work } = scene();
    await work("a", 7);
    expect(done.join(" ")).toBe("a a a others a a a others a");
  });

  it("counts the work of all, of whom none does more than a piece before the others run", async () => {
    const { done, work } = scene();
    await Promise.all([work("a", 4), work("b", 4), work("c", 4)]);
    expect(done.join(" ")).toBe("a b c a b others c a b c a others b c");
  });
});
