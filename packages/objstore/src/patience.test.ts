import { manualClock } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { withPatience } from "./patience.ts";

describe("patience", () => {
  const waiting = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

  it("ends after its span, with the reason of that and not with what the work makes of it", async () => {
    const clock = manualClock();
    const outcome = expect(withPatience(clock, 1000, undefined, waiting)).rejects.toMatchObject({
      name: "TimeoutError",
    });
    await clock.advance(1000);
    await outcome;
  });

  it("can be put off while the work goes on", async () => {
    const clock = manualClock();
    let isOver = false;
    const outcome = withPatience(clock, 1000, undefined, async (signal, allow) => {
      await clock.sleep(900);
      allow(1000);
      return waiting(signal);
    }).catch((error: unknown) => {
      isOver = true;
      return error;
    });
    await clock.advance(1800);
    expect(isOver).toBe(false);
    await clock.advance(200);
    expect(await outcome).toMatchObject({ name: "TimeoutError" });
  });

  it("ends with its parent", async () => {
    const controller = new AbortController();
    const outcome = withPatience(manualClock(), 1000, controller.signal, waiting);
    controller.abort(new Error("no longer wanted"));
    await expect(outcome).rejects.toThrow("no longer wanted");
  });
});
