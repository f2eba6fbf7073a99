/** A query over a source of which some parts evaluate by themselves: its plan with what goes to them, and how they are asked. */
import { isEvaluatingSource, type EvaluationRequest, type Partition, type SeriesSource } from "@pleiad/model";
import { distributePlan, type PlanNode, type QueryWindow } from "@pleiad/promql-plan";
import type { SourceSettings } from "./answer.ts";

export interface RemoteQuery {
  readonly text: string;
  readonly partitions: readonly Partition[]; // by the number that the nodes of the plan have
  readonly lacks: Map<string, string>; // of pieces, for `createRemoteLack`
  /** The same for all pieces. */
  readonly request: Omit<EvaluationRequest, "query" | "startMs" | "endMs" | "stepMs">;
}

export interface RemoteQueryOptions extends Pick<EvaluationRequest, "timeoutMs" | "samplesMax" | "features"> {
  readonly text: string;
  readonly window: QueryWindow;
  readonly select: SourceSettings;
}

export interface DistributedQuery {
  readonly plan: PlanNode;
  readonly undistributed: PlanNode;
  readonly remote: RemoteQuery | undefined; // undefined where all is evaluated here
}

export function distributeQuery(plan: PlanNode, source: SeriesSource, options: RemoteQueryOptions): DistributedQuery {
  if (!isEvaluatingSource(source)) return { plan, undistributed: plan, remote: undefined };
  const { text, window, select, timeoutMs, samplesMax, features } = options;
  const partitions: Partition[] = [];
  const distributed = distributePlan(plan, {
    text,
    window,
    partitionOf: (piece) => {
      const partition = source.partition({ ...piece, withoutLabels: select.withoutLabels });
      partitions.push(partition);
      return {
        number: partitions.length - 1,
        parts: partition.evaluators,
        restLabelSets: partition.rest?.labelSets,
      };
    },
  });
  const { lookbackMs, evaluationIntervalMs } = window;
  const request = { ...select, lookbackMs, evaluationIntervalMs, timeoutMs, samplesMax, features };
  return { plan: distributed, undistributed: plan, remote: { text, partitions, lacks: new Map(), request } };
}

/** What of the answer the parts lack, once its operators are done. */
export function missingFrom(remote: RemoteQuery | undefined): readonly string[] {
  return remote?.partitions.flatMap((partition) => partition.missing()) ?? [];
}
