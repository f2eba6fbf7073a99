/**
 * The parser cases of the OpenMetrics project, read from a checkout of it: every page that must parse does, and every
 * page that must not is refused, or stands in testdata/openmetrics-leniencies.txt with what Prometheus forgives in it.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { formatExpositionFailure } from "./exposition-failure.ts";
import { parseExposition } from "./exposition-parser.ts";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const suite = process.env.PLEIAD_OPENMETRICS_CONFORMANCE ?? join(repository, "../shared/conformance/openmetrics");
const casesFolder = join(suite, "testdata/parsers");
const leniencies = new Map(
  readFileSync(new URL("../testdata/openmetrics-leniencies.txt", import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => /^(\S+)\s+(.+)$/.exec(line)?.slice(1, 3) as [string, string]),
);

const present = existsSync(casesFolder);
const names = present ? readdirSync(casesFolder).sort() : [];

/** The message of the failure, undefined where the page parses. */
function refusalOf(name: string): string | undefined {
  const page = new Uint8Array(readFileSync(join(casesFolder, name, "metrics")));
  const parsed = parseExposition(page, "application/openmetrics-text; version=1.0.0", { sample: () => {} });
  return parsed.ok ? undefined : formatExpositionFailure(parsed.failure);
}

function shouldParse(name: string): boolean {
  const description: unknown = JSON.parse(readFileSync(join(casesFolder, name, "test.json"), "utf8"));
  return (description as { shouldParse: boolean }).shouldParse;
}

describe("OpenMetrics conformance", () => {
  it.skipIf(!present)("the suite is whole", () => {
    expect(names).toHaveLength(211);
    const unknown = [...leniencies.keys()].filter((name) => !names.includes(name));
    expect(unknown, "leniencies without a case").toEqual([]);
  });

  for (const name of names) {
    if (shouldParse(name)) it(`${name} parses`, () => expect(refusalOf(name)).toBeUndefined());
    else if (leniencies.has(name)) {
      it(`${name} is forgiven: ${leniencies.get(name) ?? ""}`, () => expect(refusalOf(name)).toBeUndefined());
    } else
      it(`${name} is refused`, () => expect(refusalOf(name)).toMatch(/^line \d+, column \d+: expected .+, found .+/));
  }
});
