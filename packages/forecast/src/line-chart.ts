/** Lines over a common axis, with a limit that they may cross. */
import { colours, drawing, element, shortNumber, textElement } from "./svg-text.ts";

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[]; // by x
}

export interface LineChartOptions {
  readonly title: string;
  readonly xName: string;
  readonly yName: string;
  readonly limit?: number; // of y; drawn where it is given
}

const width = 720;
const height = 360;
const area = { left: 64, right: 24, top: 54, bottom: 84 };

/** Lines through the same points are drawn as one, under all their names: the last would hide the others. */
export function lineChart(all: readonly Line[], { title, xName, yName, limit }: LineChartOptions): string {
  const lines = [...Map.groupBy(all, (line) => JSON.stringify(line.points)).values()].map((same): Line => ({
    name: same.map(({ name }) => name).join(" = "),
    points: same[0]?.points ?? [],
  }));
  const points = lines.flatMap((line) => line.points);
  const xs = points.map(([x]) => x);
  const [xFrom, xTo] = [Math.min(...xs, Infinity), Math.max(...xs, -Infinity)];
  const yTo = niceAbove(Math.max(limit ?? 0, ...points.map(([, y]) => y)));
  const plotWidth = width - area.left - area.right;
  const plotHeight = height - area.top - area.bottom;
  const xAt = (x: number) => area.left + (xTo > xFrom ? (x - xFrom) / (xTo - xFrom) : 0) * plotWidth;
  const yAt = (y: number) => area.top + plotHeight - (y / yTo) * plotHeight;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const grid = ticks.flatMap((tick) => [
    element("line", {
      x1: area.left,
      x2: width - area.right,
      y1: yAt(tick * yTo),
      y2: yAt(tick * yTo),
      stroke: "#e5e7eb",
    }),
    textElement(area.left - 6, yAt(tick * yTo) + 4, shortNumber(tick * yTo), { "text-anchor": "end" }),
  ]);
  const xTicks = [...new Set(xs)].sort((a, b) => a - b);
  // More than ten would run into each other.
  const every = Math.ceil(xTicks.length / 10);
  const xLabels = xTicks
    .filter((_, i) => i % every === 0)
    .map((x) => textElement(xAt(x), height - area.bottom + 18, shortNumber(x), { "text-anchor": "middle" }));
  const drawn = lines.flatMap(({ points }, i) => {
    const stroke = colours[i % colours.length] ?? colours[0];
    const path = points.map(([x, y]) => `${shortNumber(xAt(x))},${shortNumber(yAt(y))}`).join(" ");
    return [element("polyline", { points: path, fill: "none", stroke, "stroke-width": 2 })];
  });
  const limitLine =
    limit === undefined
      ? []
      : [
          element("line", {
            x1: area.left,
            x2: width - area.right,
            y1: yAt(limit),
            y2: yAt(limit),
            stroke: "#b91c1c",
            "stroke-dasharray": "4 3",
          }),
          textElement(width - area.right - 4, yAt(limit) - 4, `limit: ${shortNumber(limit)}`, {
            "text-anchor": "end",
            fill: "#b91c1c",
          }),
        ];
  return drawing(width, height, title, [
    textElement(8, 20, title, { "font-size": 14, "font-weight": "bold" }),
    ...grid,
    ...xLabels,
    textElement(width - area.right, height - area.bottom + 34, xName, { "text-anchor": "end" }),
    textElement(area.left, area.top - 8, yName),
    ...limitLine,
    ...drawn,
    ...lines.flatMap(({ name }, i) => legendEntry(name, i, lines.some((line) => line.name.length > 34) ? 2 : 3)),
  ]);
}

function legendEntry(name: string, i: number, columns: number): readonly string[] {
  const x = 16 + (i % columns) * Math.floor((width - 16) / columns);
  const y = height - 36 + Math.floor(i / columns) * 18;
  return [
    element("rect", { x, y, width: 10, height: 10, fill: colours[i % colours.length] ?? colours[0] }),
    textElement(x + 16, y + 9, name),
  ];
}

/** The next of some multiples of a power of ten whose quarters are short numbers. */
function niceAbove(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}
