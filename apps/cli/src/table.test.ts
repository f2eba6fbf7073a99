import { describe, expect, it } from "vitest";
import { formatTable } from "./table.ts";

it("aligns by what a terminal shows, wide characters too", () => {
  const text = formatTable(
    [{ title: "NODE" }, { title: "CPU", alignment: "right" }],
    [
      ["node-1", "11/16"],
      ["노드-2", "8.5/16"],
    ],
  );
  expect(text).toBe("NODE       CPU\nnode-1   11/16\n노드-2  8.5/16\n");
});

it("prints the titles alone where there is no row", () => {
  expect(formatTable([{ title: "A" }], [])).toBe("A\n");
});

describe("a table wider than the terminal", () => {
  const rows = [
    ["node-7", "nothing at once: blocks wait to be compacted and expired until it runs again"],
    ["node-1", "short"],
  ];
  const table = (width: number) => formatTable([{ title: "WITHOUT" }, { title: "NO MORE" }], rows, width);

  it("goes on in its last column", () => {
    expect(table(40)).toBe(
      [
        "WITHOUT  NO MORE",
        "node-7   nothing at once: blocks wait to",
        "         be compacted and expired until",
        "         it runs again",
        "node-1   short",
        "",
      ].join("\n"),
    );
  });

  for (const width of [60, 80, 120]) {
    it(`fits ${width} columns, and loses no word`, () => {
      const lines = table(width).split("\n");
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(lines.join(" ").split(/\s+/).sort()).toEqual(table(Infinity).split(/\s+/).sort());
    });
  }

  it("stays as it is where a terminal is too narrow for any", () => expect(table(20)).toBe(table(Infinity)));
});
