import { describe, expect, it } from "vitest";
import type { Clock } from "./clock.ts";

/** `pass` lets the span go by: for a real clock it waits, for a manual one it moves the hands. */
export function runClockAcceptance(
  name: string,
  open: () => { readonly clock: Clock; readonly pass: (spanMs: number) => Promise<void> },
): void {
  describe(`clock: ${name}`, () => {
    it("tells wall time in whole milliseconds", () => {
      const { clock } = open();
      expect(Number.isInteger(clock.wallMs())).toBe(true);
    });

    it("never goes back", async () => {
      const { clock, pass } = open();
      const beforeMs = clock.monotonicMs();
      await pass(5);
      expect(clock.monotonicMs()).toBeGreaterThan(beforeMs);
    });

    it("wakes sleepers in the order of their times", async () => {
      const { clock, pass } = open();
      const woken: number[] = [];
      const sleeps = [40, 1, 20].map((spanMs) => clock.sleep(spanMs).then(() => woken.push(spanMs)));
      await pass(41);
      await Promise.all(sleeps);
      expect(woken).toEqual([1, 20, 40]);
    });

    it("rejects a sleep with the reason of its signal", async () => {
      const { clock } = open();
      const controller = new AbortController();
      const sleep = clock.sleep(60_000, controller.signal);
      controller.abort(new Error("enough"));
      await expect(sleep).rejects.toThrow("enough");
      await expect(clock.sleep(1, controller.signal)).rejects.toThrow("enough");
    });

    it("acts after a span, once, and not where it was called off", async () => {
      const { clock, pass } = open();
      const acted: number[] = [];
      clock.after(20, () => acted.push(20));
      clock.after(1, () => acted.push(1));
      clock.after(10, () => acted.push(10))();
      expect(acted).toEqual([]);
      await pass(40);
      expect(acted).toEqual([1, 20]);
    });

    it("aborts a deadline with a TimeoutError after its span", async () => {
      const { clock, pass } = open();
      const deadline = clock.deadline(2);
      const aborted = new Promise((resolve) => deadline.addEventListener("abort", resolve, { once: true }));
      await pass(3);
      await aborted;
      expect((deadline.reason as DOMException).name).toBe("TimeoutError");
    });

    it("aborts a deadline with its parent, and with the parent's reason", () => {
      const { clock } = open();
      const parent = new AbortController();
      const deadline = clock.deadline(60_000, parent.signal);
      expect(deadline.aborted).toBe(false);
      parent.abort(new Error("no longer wanted"));
      expect(deadline.aborted).toBe(true);
      expect((deadline.reason as Error).message).toBe("no longer wanted");
    });

    it("lets others run at a yield", async () => {
      const { clock } = open();
      const order: string[] = [];
      const other = Promise.resolve().then(() => order.push("other"));
      await clock.yield();
      order.push("after the yield");
      await other;
      expect(order).toEqual(["other", "after the yield"]);
    });
  });
}
