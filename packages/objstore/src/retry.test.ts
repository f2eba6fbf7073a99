import { seededRandom } from "@pleiad/ports";
import { manualClock } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { retry, type Attempt } from "./retry.ts";

const options = { attempts: 5, pauseMs: 100, pauseMsMax: 400 };

describe("retry", () => {
  it.each<readonly [string, string, string, number]>([
    ["ends with the first success", "aad", "done", 3],
    ["ends with what cannot succeed", "af", "error 2", 2],
    ["ends after the last attempt", "aaaaaaaa", "error 5", 5],
  ])("%s", async (_rule, script, expected, attempts) => {
    const clock = manualClock();
    let count = 0;
    const outcome = retry(
      async (attempt): Promise<Attempt<string>> => {
        count = attempt;
        const error = `error ${attempt}`;
        const kind = script[attempt - 1];
        return kind === "d" ? { kind: "done", value: "done" } : { kind: kind === "f" ? "failed" : "again", error };
      },
      options,
      { clock, random: seededRandom(1) },
      undefined,
    ).catch((error: unknown) => error);
    await clock.advance(10_000);
    expect([await outcome, count]).toEqual([expected, attempts]);
  });

  it("pauses by chance, up to twice as long each time, within a bound", async () => {
    const pauses: number[] = [];
    const clock = { ...manualClock(), sleep: async (spanMs: number) => void pauses.push(spanMs) };
    for (let seed = 1; seed <= 50; seed++) {
      const fail = async (): Promise<Attempt<never>> => ({ kind: "again", error: "x" });
      await retry(fail, options, { clock, random: seededRandom(seed) }, undefined).catch(() => {});
    }
    for (const [attempt, most] of [100, 200, 400, 400].entries()) {
      const some = pauses.filter((_, i) => i % 4 === attempt);
      expect(Math.max(...some)).toBeLessThanOrEqual(most);
      expect(Math.max(...some)).toBeGreaterThan(most * 0.8);
      expect(Math.min(...some)).toBeLessThan(most * 0.2);
    }
  });

  it("ends in a pause with its signal", async () => {
    const clock = manualClock();
    const controller = new AbortController();
    const outcome = expect(
      retry(
        async () => ({ kind: "again", error: "x" }),
        options,
        { clock, random: seededRandom(1) },
        controller.signal,
      ),
    ).rejects.toThrow("no longer wanted");
    await clock.advance(0);
    controller.abort(new Error("no longer wanted"));
    await outcome;
  });
});
