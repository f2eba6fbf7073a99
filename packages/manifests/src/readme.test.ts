import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { formatFleetFailure, planFleet, readFleet } from "@pleiad/fleet";
import { defaultRenderSettings, renderFleet } from "./index.ts";

function example(text: string): string | readonly string[] {
  const fleet = readFleet(text, "fleets/laptop.yaml");
  if (!fleet.ok) return formatFleetFailure(fleet.failure);
  const plan = planFleet(fleet.value);
  if (!plan.ok) return formatFleetFailure(plan.failure);
  const tree = renderFleet(fleet.value, plan.value, defaultRenderSettings);
  return tree.ok ? [...tree.value.keys()].filter((path) => path.startsWith("app-clusters/")) : tree.failure.message;
}

it("the example of the README works, and is this one", () => {
  const text = readFileSync(new URL("../../../fleets/laptop.yaml", import.meta.url), "utf8");
  expect(example(text)).toContain("app-clusters/shop-01/prometheus.yaml");
  const shown = /```ts\n(.*?)```/s.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"))?.[1] ?? "";
  expect(readFileSync(new URL(import.meta.url), "utf8")).toContain(shown.trimEnd().replace(/^/gm, "  "));
});
