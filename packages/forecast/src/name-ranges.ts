/** Many names in few words, as fleet files write them: `cluster-{001..060}, head-office`. */
import { compareNames } from "@pleiad/fleet";

/** Names in order, neighbours whose numbers follow each other as a range. `rangesMax` bounds the text. */
export function nameRanges(names: readonly string[], rangesMax = 6): string {
  const ranges: { readonly prefix: string; readonly first: string; last: string; count: number }[] = [];
  for (const name of [...names].sort(compareNames)) {
    const [, prefix = name, number = ""] = /^(.*?)(\d+)$/.exec(name) ?? [];
    const before = ranges.at(-1);
    const follows =
      before !== undefined &&
      before.prefix === prefix &&
      number !== "" &&
      Number(number) === Number(before.last) + 1 &&
      // Numbers of different widths are one range only where they are not padded.
      (number.length === before.last.length || (!number.startsWith("0") && !before.first.startsWith("0")));
    if (follows) {
      before.last = number;
      before.count++;
    } else ranges.push({ prefix, first: number, last: number, count: 1 });
  }
  const shown = ranges.slice(0, rangesMax).map(({ prefix, first, last, count }) => {
    if (count === 1) return `${prefix}${first}`;
    return count === 2 ? `${prefix}${first}, ${prefix}${last}` : `${prefix}{${first}..${last}}`;
  });
  const rest = ranges.slice(rangesMax).reduce((sum, { count }) => sum + count, 0);
  return `${shown.join(", ")}${rest === 0 ? "" : ` and ${rest} more`}`;
}
