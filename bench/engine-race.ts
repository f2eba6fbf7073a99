/** Asks several engines the same questions in turn, so that a noisy machine is noisy for all of them. */
import { differenceOf, sizeOf, type AnswerDifference } from "./answer-difference.ts";
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
  /** Undefined where one of the two was not asked. */
  readonly difference: AnswerDifference | undefined;
}

const warmUps = 4;

/** Of quick questions. */
const runsMax = 200;

/** One row a query: `runsMin` requests to each engine and more while `secondsUsual` last, one after the other. The first engine is ours. */
export async function raceEngines(
  engines: readonly EngineProcess[],
  query: ReferenceQuery,
  data: ReferenceData,
  { runsMin, secondsUsual }: { readonly runsMin: number; readonly secondsUsual: number },
): Promise<RaceRow> {
  const path = pathOf(query, data);
  const bodies = new Map<string, Buffer>();
  for (const engine of engines) {
    for (let i = 0; i < warmUps; i++) await engine.time(path);
    if (engine.name !== "victoria-metrics") bodies.set(engine.name, await engine.ask(path));
    engine.resetPeak();
  }
  const ours = bodies.get("pleiad");
  const theirs = bodies.get("prometheus");
  const first = ours ?? theirs ?? Buffer.alloc(0);
  const compared = {
    size: sizeOf(first),
    bytes: first.length,
    difference: ours === undefined || theirs === undefined ? undefined : differenceOf(ours, theirs),
  };
  bodies.clear();
  const times = new Map(engines.map((engine) => [engine.name, [] as number[]]));
  const cpu = new Map(engines.map((engine) => [engine.name, 0]));
  const startMs = performance.now();
  let runs = 0;
  for (; runs < runsMin || (runs < runsMax && performance.now() - startMs < secondsUsual * 1000); runs++) {
    for (const engine of engines) {
      const before = engine.cpuMs();
      times.get(engine.name)?.push(await engine.time(path));
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
  return { query, ...compared, laps };
}
