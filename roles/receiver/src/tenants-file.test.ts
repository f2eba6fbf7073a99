import { labelsToRecord } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { isTenantName, parseTenants } from "./tenants-file.ts";

describe("the file of tenants", () => {
  it("has labels and limits for each, and what holds for all", () => {
    const parsed = parseTenants(`
tenants:
  berlin:
    labels: { cluster: berlin, shard: 7 }
    limits: { series: 1000 }
  tokyo: {}
limits: { request_bytes: 1000000, concurrent_requests: 4, waiting_requests: 8 }
other_tenants: refuse
`);
    if (!parsed.ok) throw new Error(parsed.failure.join());
    const { tenants, limits, takesOthers } = parsed.value;
    expect(labelsToRecord(tenants.get("berlin")?.labels ?? ([] as never))).toEqual({ cluster: "berlin", shard: "7" });
    expect(tenants.get("berlin")?.limits).toEqual({ seriesMax: 1000 });
    expect(tenants.get("tokyo")).toEqual({ labels: undefined, limits: {} });
    expect(limits).toEqual({ requestBytesMax: 1_000_000, concurrentMax: 4, waitingMax: 8 });
    expect(takesOthers).toBe(false);
  });

  it("may be empty: every tenant is taken", () => {
    expect(parseTenants("")).toEqual({ ok: true, value: { tenants: new Map(), limits: {}, takesOthers: true } });
  });

  for (const [rule, text, problems] of [
    ["is a list", "- a", ["the file: expected names with values"]],
    ["has a field that is not known", "tenant: {}", ["tenant: is not known; tenants, limits, other_tenants are"]],
    ["has a limit that is none", "limits: { series: -1 }", ["limits.series: expected a whole number above 0"]],
    [
      "has a limit that is not known",
      "tenants: { a: { limits: { samples: 1 } } }",
      ["tenants.a.limits.samples: is not known; series, request_bytes, concurrent_requests, waiting_requests are"],
    ],
    ["leads out of its folder", 'tenants: { "../a": {} }', ['tenants: "../a" is no name: letters, digits, - _ .']],
    [
      "has the same labels twice",
      "tenants: { a: { labels: { c: x } }, b: { labels: { c: x } } }",
      ["tenants.b.labels: are those of a"],
    ],
    [
      "has no labels where it names them",
      "tenants: { a: { labels: {} } }",
      ["tenants.a.labels: is empty; blocks of a bucket are told apart by them"],
    ],
    [
      "has several faults",
      "other_tenants: maybe\ntenants: { a: { labels: { 'b c': [1] } } }",
      [
        "other_tenants: expected accept or refuse",
        "tenants.a.labels.b c: expected a text",
        "tenants.a.labels: b c is no label name",
      ],
    ],
  ] as const) {
    it(`that ${rule} is refused, every problem by its place`, () => {
      expect(parseTenants(text)).toEqual({ ok: false, failure: problems });
    });
  }

  it("that is no YAML is refused", () => {
    expect(parseTenants("a: [")).toMatchObject({ ok: false });
  });
});

it("a tenant's name is that of a folder, and of no other place", () => {
  const names = ["berlin", "a.b", "A-1_2", "a".repeat(128)];
  expect(names.filter(isTenantName)).toEqual(names);
  const bad = ["", ".", "..", ".hidden", "a/b", "a b", "ü", "a".repeat(129), "a\0"];
  expect(bad.filter(isTenantName)).toEqual([]);
});
