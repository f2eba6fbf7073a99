/** The operator of a piece of a plan that the parts of a source evaluate, each over its own series. */
import type { SeriesSource } from "@pleiad/model";
import type { PlanNode, RemoteNode, StepGrid } from "@pleiad/promql-plan";
import type { Operator } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { createRemotePart, type RemotePart } from "./remote-part.ts";
import { remoteText } from "./remote-text.ts";
import { createRemoteUnion, type OpenPart } from "./remote-union.ts";

export type VectorBuilder = (node: PlanNode, grid: StepGrid, context: QueryContext) => Operator;

export function createRemoteOperator(
  node: RemoteNode,
  grid: StepGrid,
  context: QueryContext,
  buildVector: VectorBuilder,
): Operator {
  const { remote } = context;
  const partition = remote?.partitions[node.partition];
  if (remote === undefined || partition === undefined) throw new Error(`no partition ${node.partition}`);
  const request = { ...remote.request, ...node.window, query: remoteText(remote.text, node) };
  const local = (query: PlanNode, source: SeriesSource) =>
    // What is read here is looked at for itself: what others read of the same series is not shared.
    buildVector(query, grid, { ...context, source });
  const partOf = (operator: RemotePart) => ({
    operator: context.watch(operator),
    hasRemarks: () => operator.hasRemarks,
  });
  const parts = partition.evaluators.map((evaluator) =>
    partOf(createRemotePart(evaluator, request, node, grid, context, (source) => local(node.query, source))),
  );
  const rest = partition.rest === undefined ? [] : [local(node.query, partition.rest.source)];
  const operators = [...parts.map(({ operator }) => operator), ...rest];

  /** All series that the piece aggregates, from all parts: for what only shows where they come together. */
  const unaggregated = (query: PlanNode) => [
    ...partition.evaluators.map(({ source }) => local(query, source)),
    ...(partition.rest === undefined ? [] : [local(query, partition.rest.source)]),
  ];
  return createRemoteUnion(node, operators, grid, context, async (signal) => {
    const opened = await openAll(operators, signal);
    const isTornApart = node.gives === "sums" && parts.some(({ hasRemarks }) => hasRemarks());
    // A part that could not add up its samples, floats and histograms among them, gives none for the group: what the
    // other parts give would look like the whole.
    return isTornApart && node.query.kind === "aggregate"
      ? await openAll(unaggregated(node.query.input), signal)
      : opened;
  });
}

async function openAll(operators: readonly Operator[], signal: AbortSignal): Promise<readonly OpenPart[]> {
  return await Promise.all(operators.map(async (operator) => ({ operator, labels: await operator.series(signal) })));
}
