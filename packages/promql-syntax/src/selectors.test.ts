import { formatMatchers } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { selectorReader } from "./selectors.ts";

describe("the selectors of a query", () => {
  for (const [query, selectors] of [
    ["up", ['{__name__="up"}']],
    ["1 + 2", []],
    ['sum(rate(a{x="1"}[5m])) / max_over_time(b[1h:1m])', ['{__name__="b"}', '{x="1",__name__="a"}']],
    ["a offset 5m + a", ['{__name__="a"}', '{__name__="a"}']],
    ['{x="1"} + {y=~".+"}', ['{x="1"}', '{y=~".+"}']],
  ] as const) {
    it(query, () => {
      const found = selectorReader.selectors(query);
      expect(found.ok && found.value.map(formatMatchers).toSorted()).toEqual(selectors);
    });
  }

  it("of a chain that is longer than the stack is deep are all found", () => {
    const found = selectorReader.selectors(Array.from({ length: 400 }, (_, i) => `m${i}`).join(" + "));
    expect(found.ok && found.value.length).toBe(400);
  });

  it("that is none are a failure in Prometheus's words", () => {
    expect(selectorReader.selectors("up(")).toMatchObject({
      ok: false,
      failure: expect.stringContaining("parse error"),
    });
    expect(selectorReader.selector("a + b")).toMatchObject({
      ok: false,
      failure: expect.stringContaining("parse error"),
    });
  });
});
