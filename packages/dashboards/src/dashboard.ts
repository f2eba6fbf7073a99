/** A dashboard as data: rows of panels, a query and its legend a line. Written as Grafana's own JSON with its SDK. */
import { LegendDisplayMode, LegendPlacement, VizLegendOptionsBuilder } from "@grafana/grafana-foundation-sdk/common";
import {
  VariableRefresh,
  DashboardBuilder,
  QueryVariableBuilder,
  RowBuilder,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

export interface Dashboard {
  readonly name: string; // of its file, and its uid after `pleiad-`
  readonly title: string;
  readonly description: string;
  /** What it is chosen by: labels, each of a metric that has it. */
  readonly choices: readonly Choice[];
  readonly rows: readonly Row[];
}

export interface Choice {
  readonly label: string;
  readonly of: string; // a selector whose series have the label
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly title: string;
  readonly description: string; // what is good, and what a bad one means
  readonly unit: string; // Grafana's: s, bytes, reqps, percentunit, short
  readonly queries: readonly [legend: string, query: string][];
}

/** The data source that the provisioning of a deployment names. */
export const datasource = { type: "prometheus", uid: "fleet" } as const;

/** The query by which Grafana fills in a choice. */
export function choiceQuery({ label, of }: Choice): string {
  return `label_values(${of}, ${label})`;
}

/** The JSON that Grafana reads: the same text for the same dashboard. */
export function dashboardJson({ name, title, description, choices, rows }: Dashboard): string {
  let builder = new DashboardBuilder(title)
    .uid(`pleiad-${name}`)
    .description(description)
    .tags(["pleiad"])
    .readonly()
    .refresh("1m")
    .time({ from: "now-6h", to: "now" });
  for (const choice of choices) {
    builder = builder.withVariable(
      new QueryVariableBuilder(choice.label)
        .label(choice.label)
        .datasource(datasource)
        .query({ query: choiceQuery(choice), refId: "choice" })
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .allValue(".*"),
    );
  }
  for (const row of rows) {
    builder = builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder = builder.withPanel(panelOf(panel));
  }
  return `${JSON.stringify(builder.build(), undefined, 2)}\n`;
}

function panelOf({ title, description, unit, queries }: Panel): PanelBuilder {
  let panel = new PanelBuilder()
    .title(title)
    .description(description)
    .unit(unit)
    .datasource(datasource)
    .span(12)
    .height(8)
    .min(0)
    // Many lines: a table beside the name of each its last value, the largest first.
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Right)
        .showLegend(true)
        .calcs(["lastNotNull", "max"])
        .sortBy("Last *")
        .sortDesc(true),
    );
  for (const [i, [legend, query]] of queries.entries()) {
    const refId = String.fromCharCode(65 + i);
    panel = panel.withTarget(new DataqueryBuilder().refId(refId).expr(query).legendFormat(legend));
  }
  return panel;
}
