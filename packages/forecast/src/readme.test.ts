import { readFileSync } from "node:fs";
import { formatFleetFailure, planFleet, readFleet } from "@pleiad/fleet";
import { expect, it } from "vitest";
import { growthOf } from "./index.ts";

const readmeUrl = new URL("../README.md", import.meta.url);

function example(text: string): string {
  const fleet = readFleet(text, "fleets/seven-nodes.yaml");
  if (!fleet.ok) return formatFleetFailure(fleet.failure);
  const plan = planFleet(fleet.value);
  if (!plan.ok) return formatFleetFailure(plan.failure);
  const [step] = growthOf(fleet.value, plan.value, { sizes: [300], clustersPerMonth: 5 }).steps;
  return `${step?.clusters} clusters in ${step?.months} months: ${step?.best}`;
}

it("the example of the README works, and is this one", () => {
  const text = readFileSync(new URL("../../../fleets/seven-nodes.yaml", import.meta.url), "utf8");
  expect(example(text)).toBe("300 clusters in 16 months: fill, then add regions");
  const shown = /```ts\n(.*?)```/s.exec(readFileSync(readmeUrl, "utf8"))?.[1] ?? "";
  const source = readFileSync(new URL(import.meta.url), "utf8");
  expect(source).toContain(shown.trimEnd().replace(/^/gm, "  "));
});
