import { describe, expect, it } from "vitest";
import { catalogueOf, flagOf, thanosCommand, thanosVersions } from "./thanos-command.ts";

describe("the catalogue for a version", () => {
  const cases: readonly [version: string, catalogue: string | undefined][] = [
    ["0.37.2", "0.37.2"],
    ["0.39.1", "0.38.0"],
    ["0.41.3", "0.41.0"],
    ["0.42.4", "0.42.4"],
    ["0.42.5", "0.42.4"],
    ["0.36.0", undefined],
  ];
  for (const [version, catalogue] of cases) {
    it(`of ${version} is ${catalogue ?? "none"}`, () => expect(catalogueOf(version)).toBe(catalogue));
  }
});

describe("flags", () => {
  it("that versions dropped, added and deprecated", () => {
    expect(thanosVersions).toEqual(["0.37.2", "0.38.0", "0.39.2", "0.40.1", "0.41.0", "0.42.4"]);
    expect(flagOf("0.37.2", "query", "store")).toEqual({ takesValue: true, isDeprecated: true });
    expect(flagOf("0.42.4", "query", "store")).toBeUndefined();
    expect(flagOf("0.37.2", "query", "endpoint.sd-config-file")).toBeUndefined();
    expect(flagOf("0.42.4", "query", "endpoint.sd-config-file")).toEqual({ takesValue: true, isDeprecated: false });
    expect(flagOf("0.42.4", "query", "endpoint")).toEqual({ takesValue: true, isDeprecated: true });
    expect(flagOf("0.42.4", "compact", "wait")).toEqual({ takesValue: false, isDeprecated: false });
  });

  it("become a command line in their order, lists repeated, what is undefined left out", () => {
    const flags = {
      wait: true,
      "data-dir": "/d",
      "deduplication.replica-label": ["a", "b"],
      "min-time": undefined,
    } as const;
    expect(thanosCommand("0.42.4", "compact", flags)).toEqual([
      "compact",
      "--wait",
      "--data-dir=/d",
      "--deduplication.replica-label=a",
      "--deduplication.replica-label=b",
    ]);
  });

  const refused: readonly [flags: Parameters<typeof thanosCommand>[2], why: string][] = [
    [{ "store.sd-files": "x" }, "thanos query 0.42.4 deprecates --store.sd-files"],
    [{ stores: "x" }, "thanos query 0.42.4 has no flag --stores"],
    [{ "query.timeout": true }, "--query.timeout of thanos query takes a value"],
    [{ "query.auto-downsampling": "yes" }, "--query.auto-downsampling of thanos query takes no value"],
  ];
  for (const [flags, why] of refused) {
    it(`refuses: ${why}`, () => expect(() => thanosCommand("0.42.4", "query", flags)).toThrow(why));
  }
});
