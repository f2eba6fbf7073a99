import { readFileSync } from "node:fs";
import { planFleet, readFleet, type Plan } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import { planChanges } from "./plan-changes.ts";

function planOf(edit: (text: string) => string = (text) => text): Plan {
  const text = readFileSync(new URL("../../../fleets/laptop.yaml", import.meta.url), "utf8");
  const fleet = readFleet(edit(text), "f.yaml");
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!plan.ok) throw new Error(JSON.stringify(plan.failure));
  return plan.value;
}

describe("a start with another plan says what becomes of the data", () => {
  for (const [change, edit, said] of [
    ["nothing", (text: string) => text, []],
    ["another port", (text: string) => text.replace("basePort: 19000", "basePort: 20000"), []],
    [
      "more clusters",
      (text: string) => text.replace("shop-{01..08}", "shop-{01..12}").replace("shop-{07..08}", "shop-{07..12}"),
      [
        "New: shop-09, shop-10, shop-11 and 1 more; they begin with their past, as at a first start.",
        // A cluster's number decides the addresses of its targets.
        "Other made-up series: warehouse; what is stored stays, new samples are of the new series.",
      ],
    ],
    [
      "fewer clusters",
      (text: string) => text.replace("      - warehouse\n", ""),
      ["No longer planned: warehouse; their data stays, and is not served."],
    ],
    [
      "more series",
      (text: string) => text.replace("series: 10k", "series: 20k"),
      [
        "Other made-up series: office-1, office-2, office-3 and 1 more; what is stored stays, new samples are of the new series.",
      ],
    ],
    [
      "a longer history",
      (text: string) => text.replace(/^twin:$/m, "twin:\n  history: 14d"),
      ["History: 2w, it was 1d; what is missing is made up."],
    ],
    [
      "no history",
      (text: string) => text.replace(/^twin:$/m, "twin:\n  history: 0s"),
      ["History: 0s, it was 1d; what is in the bucket stays."],
    ],
    [
      "another bucket",
      (text: string) => text.replace("bucket: laptop", "bucket: other"),
      ["The bucket was laptop; it is other now, and history is not made up twice."],
    ],
  ] as const) {
    it(`of ${change}`, () => {
      expect(planChanges(planOf(), planOf(edit))).toEqual(said);
    });
  }

  it("of other labels", () => {
    const relabelled = planOf((text) => `${text}\nexternalLabels: { cluster: "x-\${cluster}" }\n`);
    expect(planChanges(planOf(), relabelled)).toEqual([
      "Other external labels: office-1, office-2, office-3 and 9 more; blocks that are in the bucket keep the labels they have.",
    ]);
  });
});
