/** The operator of a piece of a plan that the parts of a source evaluate, each over its own series. */
import type { SeriesSource } from "@pleiad/model";
import type { PlanNode, RemoteNode, StepGrid } from "@pleiad/promql-plan";
import type { Operator } from "./operator.ts";
import type { QueryAnnotations } from "./query-annotations.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError } from "./query-error.ts";
import { createRemoteLack, type RemoteLack } from "./remote-lack.ts";
import { createRemotePart } from "./remote-part.ts";
import { createRemoteQuestion } from "./remote-question.ts";
import { PartsDoNotAddUp } from "./remote-sums.ts";
import { createRemoteUnion } from "./remote-union.ts";

export type VectorBuilder = (node: PlanNode, grid: StepGrid, context: QueryContext) => Operator;

export function createRemoteOperator(
  node: RemoteNode,
  grid: StepGrid,
  context: QueryContext,
  buildVector: VectorBuilder,
): Operator {
  const { operators, lack } = askParts(node, grid, context, buildVector);
  return createRemoteUnion(node, operators, grid, context, lack);
}

/** What each part gives of the piece, and what is read here, in an order that is the same for all that is asked of a partition. */
export interface AskedParts {
  readonly operators: readonly Operator[];
  readonly lack: RemoteLack;
}

/** Where parts may not be missing, reading the operators throws a QueryError. */
export function askParts(
  node: RemoteNode,
  grid: StepGrid,
  context: QueryContext,
  buildVector: VectorBuilder,
): AskedParts {
  const { remote } = context;
  const partition = remote?.partitions[node.partition];
  if (remote === undefined || partition === undefined) throw new Error(`no partition ${node.partition}`);
  const question = createRemoteQuestion(node, remote);
  const lack = createRemoteLack(node, remote.lacks, context);
  const own = { ...context, sourceWarnings: lack.sourceWarnings };
  const annotations = node.gives === "sums" ? sumsWithoutWarnings(context.annotations) : context.annotations;
  const local = (source: SeriesSource) =>
    // What is read here is looked at for itself: what others read of the same series is not shared.
    buildVector(node.query, grid, { ...own, annotations, source });
  const onMissing = (name: string) => {
    if (context.settings.onFailure === "abort") throw new QueryError("source", partition.missing().join("; "));
    lack.missing.add(name);
  };
  const parts = partition.evaluators.map((evaluator) =>
    context.watch(createRemotePart(evaluator, question, node, grid, own, local, () => onMissing(evaluator.name))),
  );
  const rest = partition.rest === undefined ? [] : [local(partition.rest.source)];
  return { operators: [...parts, ...rest], lack };
}

/** A group of floats and histograms has no sum, here as in a part: what the others give of it would look like the whole. */
function sumsWithoutWarnings(annotations: QueryAnnotations): QueryAnnotations {
  return {
    inform: (...remark) => annotations.inform(...remark),
    quote: (sentence) => annotations.quote(sentence),
    warn() {
      throw new PartsDoNotAddUp();
    },
    get warnings() {
      return annotations.warnings;
    },
    get infos() {
      return annotations.infos;
    },
  };
}
