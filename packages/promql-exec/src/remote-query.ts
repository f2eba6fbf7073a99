/** A query over a source of which some parts evaluate by themselves: its plan with what goes to them, and how they are asked. */
import type { EvaluatingSource, EvaluationRequest, Partition } from "@pleiad/model";
import { distributePlan, type PlanNode, type QueryWindow } from "@pleiad/promql-plan";
import type { SourceSettings } from "./answer.ts";
import type { JointAnswers } from "./remote-question.ts";

export interface RemoteQuery {
  readonly text: string;
  readonly partitions: readonly Partition[]; // by the number that the nodes of the plan have
  readonly lacks: Map<string, string>; // of pieces, for `createRemoteLack`
  readonly jointAnswers: JointAnswers;
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
  readonly remote: RemoteQuery | undefined; // undefined where all is evaluated here
}

export function distributeQuery(
  plan: PlanNode,
  source: EvaluatingSource,
  options: RemoteQueryOptions,
): DistributedQuery {
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
  const remote = { text, partitions, lacks: new Map(), jointAnswers: new Map(), request };
  return { plan: distributed, remote };
}

/** What of the answer the parts lack, once its operators are done. */
export function missingFrom(remote: RemoteQuery | undefined): readonly string[] {
  return remote?.partitions.flatMap((partition) => partition.missing()) ?? [];
}
