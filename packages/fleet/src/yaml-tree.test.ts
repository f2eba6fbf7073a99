import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pathText } from "./fleet-source.ts";
import { fileCharactersMax, readYamlTree } from "./yaml-tree.ts";

describe("a YAML file becomes a value with places", () => {
  it("every key and value is found again", () => {
    const { value, source, problems } = readYamlTree("\ufeffa: 1\r\nb:\r\n  - x\r\n  - { c: 'y z' }\r\n", "f.yaml");
    expect(problems).toEqual([]);
    expect(JSON.stringify(value)).toBe('{"a":1,"b":["x",{"c":"y z"}]}');
    expect(source.valuePlaces.get("a")).toEqual({ line: 1, column: 4, length: 1 });
    expect(source.valuePlaces.get("b[0]")).toEqual({ line: 3, column: 5, length: 1 });
    expect(source.keyPlaces.get(pathText(["b", 1, "c"]))).toEqual({ line: 4, column: 7, length: 1 });
    expect(source.valuePlaces.get("b[1].c")).toEqual({ line: 4, column: 10, length: 5 });
  });

  it("aliases stand for what they name, at the place where it stands", () => {
    const { value, source } = readYamlTree("a: &size 8Gi\nb: *size\n", "f.yaml");
    expect(JSON.stringify(value)).toBe('{"a":"8Gi","b":"8Gi"}');
    expect(source.valuePlaces.get("b")).toMatchObject({ line: 1 });
  });

  it("a quote that never closes leaves no place behind the end of its line", () => {
    const { problems } = readYamlTree('a: { b: [c]" }\nd: 1\ne: 2\n', "f.yaml");
    expect(problems.map(({ line, column }) => line <= 4 && column <= 15)).toEqual(problems.map(() => true));
    expect(problems.length).toBeGreaterThan(0);
  });

  it("__proto__ is a key like any other", () => {
    const { value } = readYamlTree("__proto__: { polluted: true }\n", "f.yaml");
    expect(Object.keys(value as object)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("everything has a bound", () => {
  for (const [rule, text, code] of [
    ["size", " ".repeat(fileCharactersMax + 1), "INPUT"],
    ["flow nesting", "[".repeat(fileCharactersMax), "YAML_DEPTH"],
    ["block nesting", "- ".repeat(fileCharactersMax / 2), "YAML_DEPTH"],
    ["values, aliases followed", `a: &a [${"1,".repeat(5000)}]\nb: [${"*a,".repeat(99)}]\n`, "INPUT"],
    ["an anchor that holds itself", "a: &a [*a]\n", "YAML_DEPTH"],
  ] as const) {
    it(rule, () => expect(readYamlTree(text, "f.yaml").problems[0]).toMatchObject({ code }));
  }
});

it("no text throws", () => {
  const piece = fc.constantFrom(
    "a",
    ": ",
    "\n",
    "  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&x ",
    "*x",
    "'",
    '"',
    "|",
    "#",
    "\t",
    "---",
    "? ",
    "!t ",
    "%",
    "é",
    ",",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const { problems } = readYamlTree(pieces.join(""), "f.yaml");
      for (const { line, column } of problems) expect(line >= 1 && column >= 1).toBe(true);
    }),
    { numRuns: 500 },
  );
});
