import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { RangeSeries } from "./api.ts";
import { formatSeries } from "./series-text.ts";

const linesMax = 60;
const colors = [
  "#5b8def",
  "#e0823d",
  "#3fa66b",
  "#c95a9e",
  "#8a72d6",
  "#c2a02b",
  "#3aa5b5",
  "#d25757",
  "#7d9a3c",
  "#9a7b5f",
];

/** Lines over time. Of many series the first are drawn, and it says so. */
export function Chart({ series }: { readonly series: readonly RangeSeries[] }) {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return undefined;
    const drawn = series.slice(0, linesMax);
    const style = getComputedStyle(element);
    const axis = {
      stroke: style.getPropertyValue("--muted"),
      grid: { stroke: style.getPropertyValue("--line"), width: 1 },
      ticks: { stroke: style.getPropertyValue("--line"), width: 1 },
    };
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: 280,
        legend: { show: drawn.length <= 12 },
        cursor: { focus: { prox: 24 } },
        focus: { alpha: 0.25 },
        axes: [axis, { ...axis, size: 64 }],
        series: [
          {},
          ...drawn.map((one, i) => ({
            label: formatSeries(one.metric),
            stroke: colors[i % colors.length] ?? "#888",
            width: 1.5,
            points: { show: false },
          })),
        ],
      },
      columnsOf(drawn),
      element,
    );
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 280 }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [series]);
  return (
    <figure class="chart">
      <div ref={holder} id="query-chart" />
      {series.length > linesMax && (
        <figcaption>
          The first {linesMax} of {series.length} series are drawn.
        </figcaption>
      )}
    </figure>
  );
}

/** One column of times for all series, gaps where a series has none. */
function columnsOf(series: readonly RangeSeries[]): uPlot.AlignedData {
  const times = new Set<number>();
  for (const one of series) for (const [seconds] of one.values ?? []) times.add(seconds);
  const x = [...times].sort((a, b) => a - b);
  const indexOf = new Map(x.map((seconds, i) => [seconds, i]));
  const columns = series.map((one) => {
    const column: (number | null)[] = x.map(() => null);
    for (const [seconds, value] of one.values ?? []) {
      const number = Number(value.replace("Inf", "Infinity"));
      column[indexOf.get(seconds) ?? 0] = Number.isFinite(number) ? number : null;
    }
    return column;
  });
  return [x, ...columns];
}
