/**
 * Random questions over random fleets: asked for shares, asked for series, and asked of one engine that has all the data,
 * the answer is the same. More of them, over sockets: `e2e/push-down.test.ts`.
 */
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { answerDifference, randomQuestion, startRandomFleet } from "./random-fleet.testing.ts";

const questionsPerFleet = 20;

describe("shares of an answer add up to what the series give, also when one querier of each pair is gone", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`in the fleet of seed ${seed}`, async () => {
      const ports = testPorts();
      const fleet = await startRandomFleet(seed, ports, async () => await ports.clock.advance(100));
      for (let number = 0; number < questionsPerFleet; number++) {
        if (number === questionsPerFleet / 2) await fleet.stopFirstOfPairs();
        const { query, path } = randomQuestion(seed, number);
        const whole = await fleet.ask("whole", path);
        for (const top of ["series", "shares"] as const) {
          const difference = answerDifference(query, whole, await fleet.ask(top, path));
          expect({ number, path, top, difference }).toEqual({ number, path, top, difference: undefined });
        }
      }
    });
  }
});
