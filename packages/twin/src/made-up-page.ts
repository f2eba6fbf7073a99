/** The `/metrics` page of a made-up cluster: text exposition format, rendered for one instant. */
import { formatFloat, labelPairs, labelValue, metricNameLabel, quoteText } from "@pleiad/model";
import { timeColumn, type MadeUpCluster, type MadeUpSeries } from "./made-up-cluster.ts";

export interface MadeUpPage {
  /** The page at an instant. Labels are rendered once; only values are written each time. */
  render(timestampMs: number): string;
}

export function createMadeUpPage(cluster: MadeUpCluster): MadeUpPage {
  let family = "";
  // What stands before each value: comment lines of a new family, then the series.
  const heads = cluster.series.map((series) => {
    const comment =
      series.family === family
        ? ""
        : `# HELP ${series.family} ${series.help}\n# TYPE ${series.family} ${series.type}\n`;
    family = series.family;
    return `${comment}${seriesText(series)} `;
  });
  return {
    render: (timestampMs) => {
      const times = timeColumn(Float64Array.of(timestampMs));
      let page = "";
      for (let s = 0; s < heads.length; s++) {
        page += `${heads[s]}${formatFloat((cluster.series[s] as MadeUpSeries).shape.at(times, 0))}\n`;
      }
      return page;
    },
  };
}

function seriesText(series: MadeUpSeries): string {
  const pairs: string[] = [];
  for (const [name, value] of labelPairs(series.labels)) {
    if (name !== metricNameLabel) pairs.push(`${name}=${quoteText(value)}`);
  }
  return `${labelValue(series.labels, metricNameLabel)}{${pairs.join(",")}}`;
}
