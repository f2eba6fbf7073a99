import { describe, expect, it } from "vitest";
import { crashRounds } from "./crash-rounds.ts";

describe("processes that write, upload, compact and store, killed at random moments", () => {
  it("lose nothing acknowledged, invent nothing, leave nothing half written", { timeout: 600_000 }, async () => {
    const seed = Date.now() % 1_000_000;
    const report = await crashRounds(200, seed);
    expect(report.faults, `seed ${seed}`).toEqual([]);
    // Enough of everything has happened.
    expect(report.rounds).toBe(200);
    expect(report.commits).toBeGreaterThan(500);
    expect(report.kills.compactor).toBeGreaterThan(30);
    expect(report.kills.store).toBeGreaterThan(5);
    for (const kind of ["0 ms, level 1", "0 ms, level 2", "300000 ms, level 2"]) {
      expect(report.blocks.get(kind) ?? 0, kind).toBeGreaterThan(3);
    }
  });
});
