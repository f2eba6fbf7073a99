import { describe, expect, it } from "vitest";
import { barChart } from "./bar-chart.ts";
import { lineChart } from "./line-chart.ts";

/** Names of elements that are opened and not closed, or closed and not opened: none in a drawing that browsers read. */
function unbalanced(svg: string): readonly string[] {
  const open: string[] = [];
  for (const [, slash, name = "", end] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (slash === "/") {
      if (open.pop() !== name) return [`/${name}`];
    } else if (end !== "/") open.push(name);
  }
  return open;
}

describe("a bar chart", () => {
  const svg = barChart("Used & left", [
    {
      label: "node-1",
      parts: [
        { name: "a", share: 0.5 },
        { name: "b", share: 0.25 },
      ],
      text: "12/16",
    },
    { label: "node-2", parts: [{ name: "b", share: 4 }], text: "64/16" },
  ]);
  const widths = [...svg.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="16"/g)].map(
    ([, x, width]) => [Number(x), Number(width)],
  );

  it("stacks parts from the left, and cuts off what is far above the limit", () => {
    expect(widths).toEqual([
      [150, 210],
      [360, 105],
      [150, 504],
    ]);
  });

  it("is well-formed, with its text escaped", () => {
    expect(unbalanced(svg)).toEqual([]);
    expect(svg).toContain("<title>Used &amp; left</title>");
  });
});

describe("a line chart", () => {
  const lines = [
    {
      name: "one",
      points: [
        [100, 0],
        [200, 50],
        [300, 100],
      ] as const,
    },
  ];
  const svg = lineChart(lines, { title: "t", xName: "x", yName: "y", limit: 100 });

  it("puts points where they belong: lowest at the bottom, the limit at the top where it is the highest", () => {
    expect(/points="([^"]*)"/.exec(svg)?.[1]).toBe("64,276 380,165 696,54");
    expect(svg).toContain('y1="54" y2="54" stroke="#b91c1c"');
  });

  it("has at most ten labels below", () => {
    const many = [{ name: "m", points: Array.from({ length: 95 }, (_, i) => [i, i] as const) }];
    const labels = lineChart(many, { title: "t", xName: "x", yName: "y" }).match(/text-anchor="middle"/g) ?? [];
    expect(labels.length).toBeLessThanOrEqual(10);
  });

  it("stays well-formed with one point, with none, and with nothing to draw", () => {
    for (const points of [[[5, 5]], []] as const) {
      const drawn = lineChart([{ name: "<none>", points }], { title: "t", xName: "x", yName: "y" });
      expect(unbalanced(drawn)).toEqual([]);
      expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  it("draws lines through the same points once, under all their names", () => {
    const points = [[0, 1] as const, [1, 2] as const];
    const chart = lineChart(
      [
        { name: "one", points },
        { name: "two", points: [...points] },
        { name: "three", points: [[0, 1] as const, [1, 3] as const] },
      ],
      { title: "t", xName: "x", yName: "y", limit: 2 },
    );
    expect(chart.match(/<polyline/g)).toHaveLength(2);
    expect(chart).toContain(">one = two</text>");
    expect(chart).toContain(">limit: 2</text>");
  });
});
