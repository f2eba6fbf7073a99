/** `pleiad cost [file]`: what a fleet costs a month, what each cluster alone would, and what such tables leave out. */
import { costOf, formatMoney, type Cost, type CostLine } from "@pleiad/forecast";
import { loadFleet } from "../fleet-input.ts";
import { loadMeasured } from "../measured-file.ts";
import { formatTable } from "../table.ts";
import type { Command } from "commander";

interface CostCommandOptions {
  readonly json: boolean;
  readonly measured?: string;
}

export function addCostCommand(program: Command): void {
  program
    .command("cost")
    .description("show what a fleet costs a month, and what such tables leave out")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .option("--measured <file>", "measured values in place of the capacity model's, YAML or JSON")
    .option("--json", "print it as data", false)
    .action((file: string | undefined, options: CostCommandOptions) => costCommand(file, options));
}

function costCommand(file: string | undefined, { json, measured }: CostCommandOptions): void {
  const cost = costOf(loadFleet(file), loadMeasured(measured));
  process.stdout.write(json ? `${JSON.stringify(cost, undefined, 2)}\n` : formatCost(cost));
}

function formatCost(cost: Cost): string {
  const money = (micros: number) => formatMoney(micros, cost.currency);
  const right = { alignment: "right" } as const;
  const lineColumns = (title: string) => [
    { title },
    { title: "AMOUNT", ...right },
    { title: "" },
    { title: "EACH, A MONTH", ...right },
    { title: "SUM", ...right },
  ];
  const lineRow = (line: CostLine) => [
    line.item,
    amountText(line.amount),
    line.unit,
    unitPrice(line, cost.currency),
    money(line.sumMicros),
  ];
  const lines = formatTable(lineColumns("COST"), [
    ...cost.lines.map(lineRow),
    ["all", "", "", "", money(cost.totalMicros)],
    ["each cluster", amountText(cost.clusterCount), "clusters", "", money(cost.perClusterMicros)],
    ["each million series", amountText(cost.seriesCount / 1e6), "millions", "", money(cost.perMillionSeriesMicros)],
  ]);
  const comparisons = formatTable(
    [
      { title: "COMPARED" },
      { title: "TOGETHER", ...right },
      { title: "EACH ALONE", ...right },
      { title: "SAVED", ...right },
      { title: "", ...right },
    ],
    cost.comparisons.map(({ counted, togetherMicros, aloneMicros, savedMicros, savedRatio, isFair }) => [
      `${counted}${isFair ? "" : " *"}`,
      money(togetherMicros),
      money(aloneMicros),
      money(savedMicros),
      `${savedRatio < 0 ? "−" : ""}${(Math.abs(savedRatio) * 100).toFixed(1)} %`,
    ]),
  );
  const unfair = cost.comparisons.some(({ isFair }) => !isFair)
    ? "* one side counts what the other leaves out: no comparison to decide by\n"
    : "";
  const leftOut =
    cost.leftOut.length === 0 ? "" : `\n${formatTable(lineColumns("LEFT OUT ABOVE"), cost.leftOut.map(lineRow))}`;
  const scenarios =
    cost.scenarios.length === 0
      ? ""
      : `\n${formatTable(
          [
            { title: "AT LIST PRICES, WITHOUT STAFF" },
            { title: "STORAGE", ...right },
            { title: "REQUESTS", ...right },
            { title: "ALL", ...right },
            { title: "A CLUSTER", ...right },
          ],
          cost.scenarios.map((one) => [
            one.name,
            money(one.storageMicros),
            money(one.requestMicros),
            money(one.infrastructureMicros),
            money(one.perClusterMicros),
          ]),
        )}`;
  return `${lines}\n${comparisons}${unfair}${leftOut}${scenarios}`;
}

/** Prices of single requests are fractions of a cent. */
function unitPrice({ priceMicros }: CostLine, currency: string): string {
  if (priceMicros % 10_000 === 0) return formatMoney(priceMicros, currency);
  return currency === "USD" ? `$${priceMicros / 1e6}` : `${priceMicros / 1e6} ${currency}`;
}

function amountText(amount: number): string {
  const text = amount >= 1000 ? String(Math.round(amount)) : String(Math.round(amount * 100) / 100);
  return text.replace(/\B(?=(?:\d{3})+(?:\.|$))/g, ",");
}
