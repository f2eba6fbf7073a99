import { describe, expect, it } from "vitest";
import { crashRounds } from "./crash-rounds.ts";

describe("a process that writes, cuts, checkpoints and uploads, killed at random moments", () => {
  it("loses nothing acknowledged, invents nothing, leaves nothing half written", async () => {
    const seed = Date.now() % 1_000_000;
    const report = await crashRounds(40, seed);
    expect(report.faults, `seed ${seed}`).toEqual([]);
    expect(report.commits).toBeGreaterThan(200);
    expect(report.blocks).toBeGreaterThan(5);
  });
});
