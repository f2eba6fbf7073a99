/** A figure of the storage: ours beside that of Prometheus, where it does the same, and what is aimed at. */
import { unreachable } from "@pleiad/model";

export interface Reading {
  readonly value: number;
  /** Processor time and most memory of the process that did it. */
  readonly cpuMs?: number;
  readonly peakBytes?: number;
}

export type Goal =
  /** Ours by theirs: at most this. */
  | { readonly kind: "ratio"; readonly most: number }
  | { readonly kind: "at-least"; readonly value: number }
  | { readonly kind: "at-most"; readonly value: number };

export interface StorageFigure {
  readonly name: string;
  readonly unit: string;
  readonly ours: Reading;
  readonly theirs?: Reading;
  readonly goal?: Goal;
}

/** The reading whose value is in the middle. */
export function medianReading(readings: readonly Reading[]): Reading {
  const sorted = readings.toSorted((a, b) => a.value - b.value);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error("there is no reading");
  return middle;
}

/** Undefined where there is no goal. */
export function isReached({ ours, theirs, goal }: StorageFigure): boolean | undefined {
  switch (goal?.kind) {
    case "ratio":
      return theirs && ours.value / theirs.value <= goal.most;
    case "at-least":
      return ours.value >= goal.value;
    case "at-most":
      return ours.value <= goal.value;
    default:
      return undefined;
  }
}

const columns = ["ours", "Prometheus", "ratio", "goal", "", "cpu s", "its", "ratio", "peak MiB", "its"];
const nameWidth = 34;
const columnWidth = 11;

export const figureHeading: string = rowOf("figure", columns);

/** A line of the table, with its end. */
export function formatFigure(figure: StorageFigure): string {
  const { name, unit, ours, theirs, goal } = figure;
  const reached = isReached(figure);
  return rowOf(`${name}, ${unit}`, [
    formatNumber(ours.value),
    formatNumber(theirs?.value),
    formatNumber(theirs && ours.value / theirs.value),
    goal === undefined ? "" : formatGoal(goal),
    reached === undefined ? "" : reached ? "reached" : "missed",
    formatNumber(ours.cpuMs && ours.cpuMs / 1000),
    formatNumber(theirs?.cpuMs && theirs.cpuMs / 1000),
    formatNumber(theirs?.cpuMs && ours.cpuMs && ours.cpuMs / theirs.cpuMs),
    formatNumber(ours.peakBytes && ours.peakBytes / 2 ** 20),
    formatNumber(theirs?.peakBytes && theirs.peakBytes / 2 ** 20),
  ]);
}

function formatGoal(goal: Goal): string {
  switch (goal.kind) {
    case "ratio":
      return `≤ ${goal.most.toFixed(1)}`;
    case "at-least":
      return `≥ ${String(goal.value)}`;
    case "at-most":
      return `≤ ${String(goal.value)}`;
    default:
      return unreachable(goal);
  }
}

function formatNumber(value: number | undefined): string {
  if (value === undefined) return "";
  return value.toFixed(Math.abs(value) < 10 ? 3 : Math.abs(value) < 1000 ? 1 : 0);
}

function rowOf(name: string, cells: readonly string[]): string {
  return `${name.padEnd(nameWidth)}${cells.map((cell) => cell.padStart(columnWidth)).join("")}\n`;
}
