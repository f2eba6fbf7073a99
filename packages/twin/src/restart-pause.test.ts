import { expect, it } from "vitest";
import { afterCrash, defaultRestartPolicy, type RestartHistory } from "./restart-pause.ts";

it("doubles the pause with each crash in a row, up to the bound, and forgets after a steady run", () => {
  const pauses: number[] = [];
  let history: RestartHistory = { crashes: 0 };
  for (const ranForMs of [10, 10, 10, 10, 10, 10, 10, 10, 61_000, 10]) {
    const next = afterCrash(history, ranForMs, defaultRestartPolicy);
    history = next.history;
    pauses.push(next.pauseMs);
  }
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 500, 1000]);
});
