/** Asks several engines the same questions in turn, so that a noisy machine is noisy for all of them. */
import { differenceOf, sizeOf } from "./answer-difference.ts";
import type { EngineProcess } from "./engine-process.ts";
import type { ReferenceData } from "./reference-data.ts";
import { pathOf, type ReferenceQuery } from "./reference-queries.ts";

export interface Lap {
  readonly medianMs: number;
  readonly leastMs: number;
  readonly cpuMs: number; // a request
  readonly peakBytes: number;
}

export interface RaceRow {
  readonly query: ReferenceQuery;
  readonly size: string;
  readonly bytes: number;
  readonly laps: ReadonlyMap<EngineProcess["name"], Lap>;
  /** How our answer differs from Prometheus's; undefined if it does not. */
  readonly difference: string | undefined;
}

const warmUps = 3;
/** Sums are added in another order by each. */
const relativeMax = 1e-9;

/** One row a query: `runs` requests to each engine, one after the other. The first engine is ours. */
export async function raceEngines(
  engines: readonly EngineProcess[],
  query: ReferenceQuery,
  data: ReferenceData,
  runs: number,
): Promise<RaceRow> {
  const path = pathOf(query, data);
  const bodies = new Map<string, Buffer>();
  for (const engine of engines) {
    for (let i = 0; i < warmUps; i++) bodies.set(engine.name, (await engine.ask(path)).body);
    engine.resetPeak();
  }
  const times = new Map(engines.map((engine) => [engine.name, [] as number[]]));
  const cpu = new Map(engines.map((engine) => [engine.name, 0]));
  for (let i = 0; i < runs; i++) {
    for (const engine of engines) {
      const before = engine.cpuMs();
      const { ms } = await engine.ask(path);
      times.get(engine.name)?.push(ms);
      cpu.set(engine.name, (cpu.get(engine.name) ?? 0) + engine.cpuMs() - before);
    }
  }
  const laps = new Map(
    engines.map((engine) => {
      const sorted = (times.get(engine.name) ?? []).sort((a, b) => a - b);
      const lap: Lap = {
        medianMs: sorted[Math.floor(sorted.length / 2)] ?? NaN,
        leastMs: sorted[0] ?? NaN,
        cpuMs: (cpu.get(engine.name) ?? NaN) / runs,
        peakBytes: engine.peakBytes(),
      };
      return [engine.name, lap];
    }),
  );
  const ours = bodies.get("pleiad");
  const theirs = bodies.get("prometheus");
  const first = ours ?? theirs ?? Buffer.alloc(0);
  return {
    query,
    size: sizeOf(first),
    bytes: first.length,
    laps,
    difference: ours === undefined || theirs === undefined ? undefined : differenceOf(ours, theirs, relativeMax),
  };
}
