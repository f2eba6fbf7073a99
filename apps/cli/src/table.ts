/** Tables as kubectl prints them: no lines, columns two blanks apart. */
import { Table } from "console-table-printer";

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

/** Rows hold one text a column. The result ends in a newline. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
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
