/**
 * The questions of the benchmark to 220 clusters in four regions, through two tiers: answered as by one engine over all the
 * data, with push-down and without, with one replica of each pair dead and without. Random ones: `roles/querier`.
 */
import { answerDifference, type FleetAnswer } from "@pleiad/role-querier/testing";
import { startWideFleet, wideRange, wideTops, withoutMissing, type WideFleet } from "@pleiad/role-querier/wide-fleet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { benchQueries, type BenchQuery } from "./queries.ts";
import { pathOf, referenceQueries } from "./reference-queries.ts";

const clusters = 220;
const prefix = "/api/v1/";

const questions = [
  ...benchQueries.map((one) => ({ name: `bench ${one.name}`, query: one.query, path: benchPath(one) })),
  ...referenceQueries(clusters).map((one) => ({
    name: `reference ${one.name}`,
    query: one.parameters["query"] ?? "",
    path: pathOf(one, wideRange).slice(prefix.length),
  })),
];

function benchPath({ query, range }: BenchQuery): string {
  const end = wideRange.endMs / 1000;
  if (range === undefined) return `query?${new URLSearchParams({ query, time: String(end) }).toString()}`;
  const { spanSeconds, stepSeconds } = range;
  const times = { start: String(end - spanSeconds), end: String(end), step: String(stepSeconds) };
  return `query_range?${new URLSearchParams({ query, ...times }).toString()}`;
}

describe("of 220 clusters through two tiers", () => {
  let started: WideFleet | undefined;
  beforeAll(async () => {
    started = await startWideFleet(1);
  });
  afterAll(async () => await started?.stop());

  for (const state of ["while all live", "with one of each pair dead"] as const) {
    describe(state, () => {
      beforeAll(async () => {
        if (state === "with one of each pair dead") await started?.stopOneOfEachPair();
      });
      for (const { name, query, path } of questions) {
        it(`${name} is answered as by one engine`, async () => {
          if (started === undefined) throw new Error("no fleet");
          const whole = await started.askWhole(path);
          expect(sizeOf(whole)).toBeGreaterThan(0);
          for (const top of wideTops) {
            const answer = withoutMissing(await started.ask(top, path));
            if (Array.isArray(whole.data)) expect(answer).toEqual(whole);
            else
              expect({ top, difference: answerDifference(query, whole, answer) }).toEqual({
                top,
                difference: undefined,
              });
          }
        });
      }
    });
  }
});

/** Series, or texts. */
function sizeOf({ data }: FleetAnswer): number {
  if (data === undefined) return 0;
  return Array.isArray(data) ? data.length : data.result.length;
}
