import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { formatFleetFailure, planFleet, planTable, readFleet } from "./index.ts";

const readmeUrl = new URL("../README.md", import.meta.url);

function example(text: string): string {
  const fleet = readFleet(text, "fleets/laptop.yaml");
  if (!fleet.ok) return formatFleetFailure(fleet.failure);
  const plan = planFleet(fleet.value);
  if (!plan.ok) return formatFleetFailure(plan.failure);
  const { rows, totals } = planTable(plan.value);
  return `${rows.length} nodes, CPU ${totals.cpu} (${totals.cpuPercent})`;
}

it("the example of the README works, and is this one", () => {
  const text = readFileSync(new URL("../../../fleets/laptop.yaml", import.meta.url), "utf8");
  expect(example(text)).toBe("3 nodes, CPU 10.25/24 (43 %)");
  const shown = /```ts\n(.*?)```/s.exec(readFileSync(readmeUrl, "utf8"))?.[1] ?? "";
  const source = readFileSync(new URL(import.meta.url), "utf8");
  expect(source).toContain(shown.trimEnd().replace(/^/gm, "  "));
});
