import { readFileSync } from "node:fs";
import { formatFleetFailure, planFleet, readFleet } from "@pleiad/fleet";
import { expect, it } from "vitest";
import { lintFleet } from "./index.ts";

const readmeUrl = new URL("../README.md", import.meta.url);

function example(text: string): string {
  const fleet = readFleet(text, "fleets/seven-nodes-as-designed.yaml");
  if (!fleet.ok) return formatFleetFailure(fleet.failure);
  const plan = planFleet(fleet.value);
  if (!plan.ok) return formatFleetFailure(plan.failure);
  const [worst] = lintFleet({ fleet: fleet.value, plan: plan.value });
  return worst === undefined ? "nothing" : `${worst.line}: ${worst.found} [${worst.code}]`;
}

it("the example of the README works, and is this one", () => {
  const text = readFileSync(new URL("../../../fleets/seven-nodes-as-designed.yaml", import.meta.url), "utf8");
  expect(example(text)).toMatch(/^\d+: 220 clusters keep 2h: .* \[retention-too-short\]$/);
  const shown = /```ts\n(.*?)```/s.exec(readFileSync(readmeUrl, "utf8"))?.[1] ?? "";
  const source = readFileSync(new URL(import.meta.url), "utf8");
  expect(source).toContain(shown.trimEnd().replace(/^/gm, "  "));
});
