/** What one part of the source evaluates, as an operator: its answer, or, where it refuses, its series evaluated here. */
import {
  isQueryRemark,
  unreachable,
  type EvaluatedSeries,
  type Evaluation,
  type Evaluator,
  type SeriesSource,
} from "@pleiad/model";
import { formatPlan, stepCountOf, type RemoteNode, type StepGrid } from "@pleiad/promql-plan";
import { createLateOperator } from "./late-operator.ts";
import { histogramCost } from "./limits.ts";
import { floatSample, histogramSample, type Operator, type RowHistograms, type RowVisitor } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError } from "./query-error.ts";
import type { RemoteQuestion } from "./remote-question.ts";
import { PartsDoNotAddUp } from "./remote-sums.ts";
import { createRowOperator } from "./row-operator.ts";
import { bytesFor } from "./series-reader.ts";

/** `buildLocal` gives the operator of the same piece over series that are read; `onMissing` throws where it may not be. */
export function createRemotePart(
  evaluator: Evaluator,
  question: RemoteQuestion,
  node: RemoteNode,
  grid: StepGrid,
  context: QueryContext,
  buildLocal: (source: SeriesSource) => Operator,
  onMissing: () => void,
): Operator {
  let description = `part ${evaluator.name}`;
  let isLocal = false;
  let reader: Operator | undefined;

  // What is missing is told once for all parts together, when the query ends.
  const missing = (): readonly EvaluatedSeries[] => {
    onMissing();
    description += ": missing";
    return [];
  };
  const takeOver = ({ series, warnings, samplesRead, answeredBy, receivedBytes }: Evaluation) => {
    for (const warning of warnings) {
      if (!isQueryRemark(warning)) context.sourceWarnings.add(warning);
      else if (isQuoted(node)) context.annotations.quote(warning);
    }
    // Where floats and histograms meet, a part gives nothing for the group, and what others give would look like the whole.
    if (node.gives === "sums" && warnings.some((one) => one.startsWith(warningStart))) throw new PartsDoNotAddUp();
    // Held to the end of the query.
    context.budget.takeBytes(bytesFor(0) * series.length);
    context.budget.take(series.reduce((held, one) => held + samplesOf(one), 0));
    context.tally.samplesRead += samplesRead;
    context.tally.seriesSelected += series.length;
    description += `: ${series.length} series in ${receivedBytes} bytes from ${answeredBy}`;
    return series;
  };
  const answered = (series: readonly EvaluatedSeries[]): Operator => {
    const shape = { description: formatPlan(node.query), inputs: [], grid, context };
    const labels = series.map((one) => one.labels);
    return createRowOperator(shape, async () => ({
      labels,
      each: async (visit) => await eachRow(series, grid, context, visit),
    }));
  };

  const open = async (signal: AbortSignal): Promise<Operator> => {
    const result = await question.ask(evaluator, signal);
    context.pace.check();
    if (result.ok) return answered(takeOver(result.value));
    const { failure } = result;
    switch (failure.kind) {
      case "missing":
        return answered(missing());
      case "canceled":
        throw new QueryError("canceled", "query was canceled in expression evaluation");
      case "refused":
        description += `: read and evaluated here, for it refused: ${failure.reason}`;
        isLocal = true;
        return buildLocal(evaluator.source);
      default:
        return unreachable(failure);
    }
  };

  return createLateOperator({
    description: () => description,
    inputs: () => (isLocal && reader !== undefined ? [reader] : []),
    dropsName: () => reader?.dropsName,
    rows: () => reader?.rows,
    async series(signal) {
      reader = await open(signal);
      return await reader.series(signal);
    },
    async next(out, signal) {
      if (reader === undefined) throw new Error("next before series");
      return await reader.next(out, signal);
    },
  });
}

function samplesOf({ values, histograms }: EvaluatedSeries): number {
  return histograms.reduce((cost, histogram) => cost + histogramCost(histogram), values.length);
}

const warningStart = "PromQL warning: ";

/** Of what is asked for apart, one tells all: the others say the same, and may be spelled longer or shorter than the query. */
function isQuoted({ gives, query }: RemoteNode): boolean {
  if (gives === "moments") return query.kind === "aggregate" && query.operator === "stdvar";
  return gives !== "counts-of-sums";
}

/** Visits the series of an answer as rows. Throws a QueryError where a sample lies beside the steps. */
async function eachRow(
  series: readonly EvaluatedSeries[],
  grid: StepGrid,
  context: QueryContext,
  visit: RowVisitor,
): Promise<void> {
  const stepCount = stepCountOf(grid);
  const values = new Float64Array(stepCount);
  const present = new Uint8Array(stepCount);
  for (const [seriesId, one] of series.entries()) {
    present.fill(0);
    for (let i = 0; i < one.values.length; i++) {
      const step = stepOf(one.timestampsMs[i], grid, stepCount);
      values[step] = one.values[i];
      present[step] = floatSample;
    }
    let histograms: RowHistograms | undefined;
    for (const [i, histogram] of one.histograms.entries()) {
      const step = stepOf(one.histogramTimestampsMs[i], grid, stepCount);
      context.budget.take(histogramCost(histogram));
      histograms ??= Array.from({ length: stepCount });
      histograms[step] = histogram;
      present[step] = histogramSample;
    }
    if (one.values.length + one.histograms.length > 0) visit(seriesId, values, present, histograms);
    if (context.pace.due()) await context.pace.rest();
  }
}

function stepOf(timestampMs: number, { startMs, stepMs }: StepGrid, stepCount: number): number {
  const step = Math.round((timestampMs - startMs) / stepMs);
  // Times are whole milliseconds on their way, steps need not be.
  if (step >= 0 && step < stepCount && Math.abs(startMs + step * stepMs - timestampMs) < 1) return step;
  throw new QueryError("source", `an evaluated sample at ${timestampMs} ms, which is none of the steps`);
}
