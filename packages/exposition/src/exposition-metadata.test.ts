/** What a sink is told of HELP, TYPE and UNIT lines, as Prometheus keeps it. */
import { describe, expect, it } from "vitest";
import { parseExposition } from "./exposition-parser.ts";

function told(page: string, contentType: string): unknown {
  const lines: string[] = [];
  const sink = { sample: () => {}, metadata: (...parts: string[]) => void lines.push(parts.join("|")) };
  const read = parseExposition(new TextEncoder().encode(page), contentType, sink);
  return read.ok ? lines : read.failure.kind;
}

describe("metadata of a page", () => {
  for (const [rule, contentType, page, lines] of [
    [
      "is told line by line",
      "text/plain",
      "# HELP a First.\n# TYPE a counter\na 1\n",
      ["help|a|First.", "type|a|counter"],
    ],
    ["may be told without a sample", "text/plain", "# TYPE a gauge", ["type|a|gauge"]],
    ["has a type that is not known under that word", "text/plain", "# TYPE a untyped\n", ["type|a|unknown"]],
    ["may have an empty help", "text/plain", "# HELP a\n# HELP b \n", ["help|a|", "help|b|"]],
    ["has line ends and backslashes in help", "text/plain", '# HELP a 1\\\\2\\n3\\"\n', ['help|a|1\\2\n3\\"']],
    [
      "has quotes too in OpenMetrics",
      "application/openmetrics-text",
      '# HELP a 1\\\\2\\n3\\"\n# EOF\n',
      ['help|a|1\\2\n3"'],
    ],
    [
      "has units in OpenMetrics",
      "application/openmetrics-text",
      "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# EOF\n",
      ["type|a_seconds|gauge", "unit|a_seconds|seconds"],
    ],
    ["may have a quoted name", "text/plain", '# HELP "a.b\\"" x\n', ['help|a.b"|x']],
    ["is none in a comment", "text/plain", "# HELPS a b\n#TYPE a b\n# more\n", []],
  ] as const) {
    it(rule, () => expect(told(page, contentType)).toEqual(lines));
  }
});
