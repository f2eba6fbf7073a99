/** Bars against a limit: what is used of what there is, a row each. */
import { colours, drawing, element, textElement } from "./svg-text.ts";

export interface Bar {
  readonly label: string;
  readonly parts: readonly { readonly name: string; readonly share: number }[]; // of the limit, stacked
  readonly text: string; // right of the bar: `11/16`
}

const rowHeight = 24;
const left = 150;
const barWidth = 420;
const width = 720;
const top = 40;

/** Shares above 1 are drawn past the limit's line, up to a third of its width. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const names = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  const bottom = top + bars.length * rowHeight;
  const height = bottom + 16 + (names.length > 1 ? Math.ceil(names.length / 4) * 18 : 0);
  const rows = bars.flatMap(({ label, parts, text }, i) => {
    const y = top + i * rowHeight;
    let x = left;
    const rects = parts.map(({ name, share }) => {
      const room = left + barWidth * 1.2 - x;
      const own = Math.min(room, share * barWidth);
      const rect = element("rect", {
        x,
        y: y + 4,
        width: own,
        height: rowHeight - 8,
        fill: colours[names.indexOf(name) % colours.length] ?? colours[0],
      });
      x += own;
      return rect;
    });
    return [
      textElement(left - 8, y + 16, label, { "text-anchor": "end" }),
      ...rects,
      textElement(width - 8, y + 16, text, { "text-anchor": "end" }),
    ];
  });
  const limit = element("line", {
    x1: left + barWidth,
    x2: left + barWidth,
    y1: top - 4,
    y2: bottom,
    stroke: "#b91c1c",
    "stroke-dasharray": "4 3",
  });
  const legend = names.length < 2 ? [] : names.flatMap((name, i) => legendEntry(name, i, bottom + 12));
  return drawing(width, height, title, [
    textElement(8, 20, title, { "font-size": 14, "font-weight": "bold" }),
    ...rows,
    limit,
    ...legend,
  ]);
}

function legendEntry(name: string, i: number, y: number): readonly string[] {
  const x = 16 + (i % 4) * 175;
  const row = y + Math.floor(i / 4) * 18;
  return [
    element("rect", { x, y: row, width: 10, height: 10, fill: colours[i % colours.length] ?? colours[0] }),
    textElement(x + 16, row + 9, name),
  ];
}
