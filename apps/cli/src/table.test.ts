import { expect, it } from "vitest";
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
