import { describe, expect, it } from "vitest";
import { readMetricsPage } from "./metrics-page.ts";

const read = (text: string) => readMetricsPage(new TextEncoder().encode(text));

describe("a page of metrics", () => {
  const page = read('# TYPE requests counter\nrequests{code="200",to="a"} 3\nrequests{code="200",to="b"} 4\nup 0\n');

  for (const [rule, name, labels, value] of [
    ["sums a name over its series", "requests", {}, 7],
    ["sums only those with the labels", "requests", { to: "b" }, 4],
    ["knows a value of nought", "up", {}, 0],
    ["tells a name that is not there from nought", "down", {}, undefined],
    ["tells labels that are not there from nought", "requests", { to: "c" }, undefined],
  ] as const) {
    it(rule, () => expect(page.ok && page.value.sum(name, labels)).toBe(value));
  }

  it("that is none says where", () => {
    const bad = read("up{ 1\n");
    expect(bad.ok ? "" : bad.failure).toMatch(/line 1, column/);
  });
});
