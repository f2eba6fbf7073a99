/** Tables as kubectl prints them: no lines, columns two blanks apart. */
import { Table } from "console-table-printer";
import { linesOf } from "./text-lines.ts";

export interface Column {
  readonly title: string;
  readonly alignment?: "left" | "right";
}

export function left(title: string): Column {
  return { title };
}

/** For numbers. */
export function right(title: string): Column {
  return { title, alignment: "right" };
}

/**
 * Rows hold one text a column. Where they are wider than `width`, the texts of the last column go on below themselves.
 * A pipe has no width: a script finds every row on one line. The result ends in a newline.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = process.stdout.columns ?? Number.POSITIVE_INFINITY,
): string {
  const text = layOut(columns, rows);
  const longest = (lines: readonly string[]) => lines.reduce((most, line) => Math.max(most, line.length), 0);
  const over = longest(text.split("\n")) - width;
  const last = columns.length - 1;
  const lastWidth = longest([columns[last]?.title ?? "", ...rows.map((row) => row[last] ?? "")]);
  // What would be left of a column that is cut down to a few characters is read with more pain than a broken line.
  if (over <= 0 || lastWidth - over < lastColumnWidthMin) return text;
  return layOut(
    columns,
    rows.flatMap((row) => {
      const lines = linesOf(row[last] ?? "", lastWidth - over);
      return lines.map((line, i) => [...row.slice(0, last).map((cell) => (i === 0 ? cell : "")), line]);
    }),
  );
}

const lastColumnWidthMin = 20;

function layOut(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const bare = { left: "", right: "", mid: "", other: "" };
  const table = new Table({
    columns: columns.map((column, i) => ({
      name: String(i),
      title: column.title,
      alignment: column.alignment ?? "left",
    })),
    style: { headerTop: bare, headerBottom: bare, tableBottom: bare, vertical: "", rowSeparator: bare },
    shouldDisableColors: true,
  });
  for (const row of rows) table.addRow(Object.fromEntries(row.map((text, i) => [String(i), text])));
  return table
    .render()
    .split("\n")
    .map((line) => line.replace(/^ /, "").trimEnd())
    .filter((line) => line !== "")
    .map((line) => `${line}\n`)
    .join("");
}
