import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { applyEdits, type FleetEdit, type FleetValue } from "./yaml-text.ts";

const text = `# head
a: 1 # one
b: { c: 2, d: [x] } # two

# of e
e: # below
  f: 3 # three
  # of g
  g: {}
h:
  - 1
  - 2
`;

describe("edits of a text", () => {
  for (const [rule, edits, from, to] of [
    ["a value is replaced, its comment stays", [{ kind: "set", path: ["a"], value: 9 }], "a: 1 # one", "a: 9 # one"],
    ["one in braces", [{ kind: "set", path: ["b", "c"], value: "y" }], "{ c: 2, d", "{ c: y, d"],
    ["a list in braces", [{ kind: "set", path: ["b", "d"], value: [1, 2] }], "d: [x] }", "d: [1, 2] }"],
    ["a new key in braces", [{ kind: "set", path: ["b", "z"], value: 1 }], "d: [x] }", "d: [x], z: 1 }"],
    ["a new key in empty braces", [{ kind: "set", path: ["e", "g", "x"], value: 1 }], "g: {}", "g: { x: 1 }"],
    ["a new key of a block", [{ kind: "set", path: ["e", "z"], value: "1d" }], "  g: {}\n", "  g: {}\n  z: 1d\n"],
    ["a new key of the file", [{ kind: "set", path: ["z"], value: true }], "  - 2\n", "  - 2\nz: true\n"],
    ["mappings around a new key", [{ kind: "set", path: ["y", "5m"], value: 1 }], "  - 2\n", '  - 2\ny: { "5m": 1 }\n'],
    ["a block becomes one line", [{ kind: "set", path: ["h"], value: [3] }], "h:\n  - 1\n  - 2\n", "h: [3]\n"],
    ["a text that YAML would misread", [{ kind: "set", path: ["a"], value: "yes, no" }], "a: 1", 'a: "yes, no"'],
    ["a key is removed with its comment", [{ kind: "remove", path: ["a"] }], "a: 1 # one\n", ""],
    ["the first in braces", [{ kind: "remove", path: ["b", "c"] }], "{ c: 2, d", "{ d"],
    ["the last in braces", [{ kind: "remove", path: ["b", "d"] }], ", d: [x] }", " }"],
    ["a block", [{ kind: "remove", path: ["h"] }], "h:\n  - 1\n  - 2\n", ""],
    ["what is not there", [{ kind: "remove", path: ["z", "y"] }], "", ""],
    [
      "set wins over removed",
      [
        { kind: "remove", path: ["a"] },
        { kind: "set", path: ["a"], value: 2 },
      ],
      "a: 1",
      "a: 2",
    ],
  ] as const) {
    it(rule, () => {
      expect(applyEdits(text, edits)).toBe(text.replace(from, to));
    });
  }

  it("what is left empty goes too", () => {
    const edits = [
      { kind: "remove", path: ["b", "c"] },
      { kind: "remove", path: ["b", "d"] },
    ] as const;
    expect(applyEdits(text, edits)).toBe(text.replace("b: { c: 2, d: [x] } # two\n", ""));
  });

  it("mean the same as on the values, in any text", () => {
    const key = fc.constantFrom("a", "b", "c", "5m");
    const scalar = fc.oneof(fc.integer(), fc.boolean(), fc.constantFrom("x", "1d", "a: b", "10Gi", "[", "no", "#"));
    const tree = fc.letrec<{ value: FleetValue }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        scalar,
        fc.dictionary(key, tie("value"), { minKeys: 1 }),
        fc.array(scalar),
      ),
    })).value;
    const edit = fc.record({
      kind: fc.constant("set" as const),
      path: fc.array(key, { minLength: 1, maxLength: 3 }),
      value: tree,
    });
    fc.assert(
      fc.property(fc.dictionary(key, tree, { minKeys: 1 }), fc.boolean(), edit, (root, isFlow, one) => {
        const before = isFlow ? JSON.stringify(root) + "\n" : blockText(root, "");
        const edited = applyEdits(before, [one satisfies FleetEdit]);
        expect(parse(edited)).toEqual(withValue(root, one.path, one.value));
      }),
      { numRuns: 300 },
    );
  });
});

function blockText(value: Readonly<Record<string, FleetValue>>, indent: string): string {
  return Object.entries(value)
    .map(([key, one]) =>
      typeof one === "object" && !Array.isArray(one)
        ? `${indent}${JSON.stringify(key)}:\n${blockText(one as Record<string, FleetValue>, `${indent}  `)}`
        : `${indent}${JSON.stringify(key)}: ${JSON.stringify(one)} # why\n`,
    )
    .join("");
}

/** The same on plain values. What is no mapping gives way to one. */
function withValue(target: unknown, [step = "", ...rest]: readonly string[], value: FleetValue): unknown {
  const map = typeof target === "object" && target !== null && !Array.isArray(target) ? target : {};
  const inner = (map as Record<string, unknown>)[step];
  return { ...map, [step]: rest.length === 0 ? value : withValue(inner, rest, value) };
}
