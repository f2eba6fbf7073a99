import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEngine, type EngineProcess } from "./engine-process.ts";
import { raceEngines } from "./engine-race.ts";
import { makeReferenceBlocks, type ReferenceData } from "./reference-data.ts";
import { referenceQueries } from "./reference-queries.ts";

const clusters = 3;
const isThere = spawnSync("prometheus", ["--version"]).status === 0;
const isRequired = process.env["PLEIAD_REQUIRE_PEERS"] === "1";

/** The benchmark with a small fleet: that it runs, and that our answers are those of Prometheus. */
describe.skipIf(!isThere && !isRequired)("our engine beside Prometheus", () => {
  const folder = mkdtempSync(join(tmpdir(), "pleiad-engines-test-"));
  const engines: EngineProcess[] = [];
  let data: ReferenceData;

  beforeAll(async () => {
    data = await makeReferenceBlocks(folder, { clusters, samples: 120 }, () => {});
    engines.push(await startEngine("pleiad", { data, folder, port: 24_650 }));
    engines.push(await startEngine("prometheus", { data, folder, port: 24_651 }));
  }, 60_000);

  afterAll(async () => {
    await Promise.all(engines.map((engine) => engine.end()));
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(referenceQueries(clusters))("answers $name the same", async (query) => {
    const { difference, laps } = await raceEngines(engines, query, data, { runsMin: 1, secondsUsual: 0 });
    expect(difference).toMatchObject({ structure: undefined, differingPoints: 0 });
    expect(difference?.points).toBeGreaterThan(0);
    expect(laps.get("pleiad")?.medianMs).toBeGreaterThan(0);
  });
});
