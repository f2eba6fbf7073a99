import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withoutRanges } from "./expression.testing.ts";
import { experimentalParseOptions } from "./ast.ts";
import { parseExpression } from "./parse-expression.ts";
import { formatExpression } from "./printer.ts";

/** Prometheus's own test scripts; see the licence beside them. */
const folder =
  process.env["PLEIAD_PROMQL_CONFORMANCE"] ?? join(import.meta.dirname, "../../../../shared/conformance/promql");

interface Evaluation {
  readonly place: string;
  readonly text: string;
  readonly mayFail: boolean;
}

describe.skipIf(!existsSync(folder))("Prometheus's own test scripts", () => {
  const scripts = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".test")) : [];
  const evaluations = scripts.flatMap(evaluationsOf);

  it(`holds ${evaluations.length} evaluations in ${scripts.length} scripts`, () => {
    const silent = scripts.filter((script) => !evaluations.some(({ place }) => place.startsWith(`${script}:`)));
    expect(silent).toEqual([]);
    expect(scripts).not.toEqual([]);
  });

  for (const script of scripts) {
    const own = evaluations.filter(({ place }) => place.startsWith(`${script}:`));
    const failing = own.filter(({ mayFail }) => mayFail).length;
    it(`${script}: ${own.length - failing} expressions parse and print back, ${failing} may fail`, () => {
      const problems = own.flatMap((evaluation) => problemOf(evaluation) ?? []);
      expect(problems).toEqual([]);
    });
  }
});

function problemOf({ place, text, mayFail }: Evaluation): string | undefined {
  const parsed = parseExpression(text, experimentalParseOptions);
  if (!parsed.ok) return mayFail ? undefined : `${place}: ${text}: ${parsed.failure.message}`;
  const printed = formatExpression(parsed.value);
  const again = parseExpression(printed, experimentalParseOptions);
  if (!again.ok) return `${place}: ${text} printed as ${printed}: ${again.failure.message}`;
  const same = withoutRanges(again.value) === withoutRanges(parsed.value);
  return same ? undefined : `${place}: ${text} printed as ${printed}, which is another expression`;
}

function evaluationsOf(script: string): readonly Evaluation[] {
  const lines = readFileSync(join(folder, script), "utf8").split("\n");
  return lines.flatMap((line, i) => {
    const trimmed = line.trim();
    const instant = /^eval(_fail|_warn|_ordered|_info)?\s+instant\s+(?:at\s+.+?)?\s+(.+)$/.exec(trimmed);
    const range = /^eval(_fail|_warn|_info)?\s+range\s+from\s+.+\s+to\s+.+\s+step\s+.+?\s+(.+)$/.exec(trimmed);
    const [, kind, text] = instant ?? range ?? [];
    if (text === undefined) return [];
    const mayFail = kind === "_fail" || expectationsAfter(lines, i).some((words) => /^expect\s+fail\b/.test(words));
    return [{ place: `${script}:${i + 1}`, text, mayFail }];
  });
}

/** The lines of the block that an evaluation begins: to the next empty line or comment. */
function expectationsAfter(lines: readonly string[], evaluation: number): readonly string[] {
  const rest = lines.slice(evaluation + 1).map((line) => line.trim());
  const end = rest.findIndex((line) => line === "" || line.startsWith("#") || line.startsWith("eval"));
  return end === -1 ? rest : rest.slice(0, end);
}
