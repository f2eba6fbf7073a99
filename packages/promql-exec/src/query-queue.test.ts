import { describe, expect, it } from "vitest";
import { createQueryQueue } from "./query-queue.ts";

const { signal } = new AbortController();

describe("the queue of queries", () => {
  it("never runs more than it may, also where others arrive as one leaves", async () => {
    const queue = createQueryQueue(1, 100);
    let running = 0;
    let mostRunning = 0;
    const work = async () => {
      mostRunning = Math.max(mostRunning, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    // One more at every turn of the end of another.
    const arrivals = async () => {
      const arrived: Promise<unknown>[] = [];
      for (let turn = 0; turn < 10; turn++) {
        await Promise.resolve();
        arrived.push(queue.run(work, signal));
      }
      await Promise.all(arrived);
    };
    const first = queue.run(async () => {}, signal);
    await Promise.all([first, queue.run(work, signal), arrivals()]);
    expect(mostRunning).toBe(1);
  });

  it("gives the place on where work fails", async () => {
    const queue = createQueryQueue(1, 10);
    const failing = queue.run(async () => {
      throw new Error("a bug");
    }, signal);
    const next = queue.run(async () => "an answer", signal);
    await expect(failing).rejects.toThrow("a bug");
    expect(await next).toEqual({ ok: true, value: "an answer" });
  });
});
