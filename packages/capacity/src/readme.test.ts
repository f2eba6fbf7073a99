import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { capacityModel, explainFigure, type LoadScope } from "./index.ts";

const readmeUrl = new URL("../README.md", import.meta.url);

function example(): string {
  const group = { clusters: { value: 60 }, "prometheus.series": { value: 100_000, place: "groups.group-a.series" } };
  const clusters: LoadScope = { name: "group-a in a1", level: "clusters", given: group, parts: [] };
  const region: LoadScope = { name: "a1", level: "region", given: {}, parts: [clusters] };
  const fleet: LoadScope = {
    name: "fleet",
    level: "fleet",
    given: { "bucket.capacity": { value: 1e13 } },
    parts: [region],
  };
  const model = capacityModel(fleet, "thanos", new Map([["blocks.raw-bytes", 1.3]]));
  return explainFigure(model.fleet.figure("bucket.days-until-full-raw"), { depth: 1, partsMax: 2 });
}

it("the example of the README works, and is this one", () => {
  expect(example()).toBe(
    [
      "bucket.days-until-full-raw of fleet: 445 days",
      "  the same of raw samples alone",
      "  = bucket.capacity / bucket.raw-growth",
      "  source: capacity over growth",
      "  bucket.capacity = 9.09 TiB (default: the fleet file)",
      "  bucket.raw-growth = 20.9 GiB/day = sum(clusters.raw-bytes)",
      "",
    ].join("\n"),
  );
  const shown = /```ts\n(.*?)```/s.exec(readFileSync(readmeUrl, "utf8"))?.[1] ?? "";
  const source = readFileSync(new URL(import.meta.url), "utf8");
  expect(source).toContain(shown.trimEnd().replace(/^/gm, "  "));
});
