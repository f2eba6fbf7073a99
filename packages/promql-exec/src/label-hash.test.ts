import { labelsFromRecord } from "@pleiad/model";
import { expect, it } from "vitest";
import { labelShare } from "./label-hash.ts";

it("gives a label set its share", () => {
  const share = labelShare(labelsFromRecord({ __name__: "x", a: "1".repeat(300) }));
  expect(share).toBeGreaterThanOrEqual(0);
  expect(share).toBeLessThan(1);
});
