/** Which endpoints of a fan-out evaluate a piece of a query by themselves, and over which the rest of it is evaluated here. */
import {
  emptyLabels,
  fail,
  labelsKey,
  ok,
  withoutLabels,
  type EvaluationRequest,
  type Evaluator,
  type Labels,
  type Partition,
  type PartitionRequest,
  type SeriesSource,
} from "@pleiad/model";
import { overlappingParts } from "./disjoint-parts.ts";
import type { Endpoint, Trouble } from "./endpoint.ts";
import { namedWarnings } from "./endpoint-warnings.ts";
import { createMissingReport, missingClusterCount, type MissingPart } from "./missing-report.ts";
import { anyOf, compileQuestion, labelSetsOf, type Question } from "./question.ts";
import type { QueryGathering } from "./query-gathering.ts";
import { concernedClusters, type Assignment, type ReplicaSet } from "./replica-set.ts";
import { describeTrouble } from "./rpc-failures.ts";

/** What the partition needs of its fan-out. */
export interface PartitionedFanout {
  readonly name: string;
  readonly sets: readonly ReplicaSet[];
  /** Who of a set is asked, where all of `sets` could be. */
  assign(set: ReplicaSet, question: Question, sets: readonly ReplicaSet[]): Assignment;
  /** The fan-out over some of its endpoints. */
  sourceOf(sets: readonly ReplicaSet[]): SeriesSource;
  readonly queries: QueryGathering;
  /** How long the first of several replicas may be silent, and the last one. */
  readonly silenceMs: { readonly first: number; readonly last: number };
}

export function partitionFanout(fanout: PartitionedFanout, request: PartitionRequest): Partition {
  const question = questionOf(fanout, request);
  const parts = fanout.sets.flatMap((set) => {
    if (question === undefined) return [{ set, labelSets: [emptyLabels], evaluators: [], notAnnounced: [] }];
    const assignment = fanout.assign(set, question, fanout.sets);
    return assignment.kind === "not-concerned" ? [] : [partOf(set, assignment, question, request)];
  });
  const overlapping = overlappingParts(parts.map(({ labelSets }) => labelSets));
  const evaluating = parts.filter((part, i) => part.evaluators.length > 0 && !overlapping.has(i));
  const rest = parts.filter((part) => !evaluating.includes(part));
  const missing = new Map<Part, MissingPart>();
  return {
    // In the order of the endpoints, whichever failed first.
    missing: () => textsOf(evaluating.flatMap((part) => missing.get(part) ?? [])),
    evaluators: evaluating.map((part) => evaluatorOf(part, question, fanout, missing)),
    rest:
      rest.length === 0
        ? undefined
        : {
            source: fanout.sourceOf(rest.map(({ set }) => set)),
            labelSets: rest.flatMap(({ labelSets }) => labelSets),
          },
  };
}

/** A replica set that has something of the piece, or should have. */
interface Part {
  readonly set: ReplicaSet;
  readonly labelSets: readonly Labels[]; // of what it has; empty where nothing is known of one that is away
  readonly evaluators: readonly Endpoint[]; // in the order in which they are asked
  readonly notAnnounced: readonly string[];
}

/** Undefined where a matcher does not compile: who is asked for series says so. */
function questionOf({ name }: PartitionedFanout, request: PartitionRequest): Question | undefined {
  const { minTimeMs, maxTimeMs } = request;
  const questions: Question[] = [];
  for (const matchers of request.selections) {
    const compiled = compileQuestion({ minTimeMs, maxTimeMs, matchers }, name);
    if (!compiled.ok) return undefined;
    questions.push(compiled.value);
  }
  return anyOf(questions);
}

function partOf(
  set: ReplicaSet,
  assignment: Exclude<Assignment, { kind: "not-concerned" }>,
  question: Question,
  request: PartitionRequest,
): Part {
  const replicaLabels = new Set(request.withoutLabels);
  const labelSets = new Map<string, Labels>();
  const add = (labels: Labels) => {
    if (!question.couldMatch(labels)) return;
    const own = withoutLabels(labels, replicaLabels);
    labelSets.set(labelsKey(own), own);
  };
  for (const { identity, identityAgeMs, spec } of set.endpoints) {
    if (identity !== undefined) labelSetsOf(question, identity, identityAgeMs).forEach(add);
    // One that is expected may come while the query runs.
    for (const { labels } of spec.expects) add(labels);
  }
  const asked = assignment.kind === "ask" ? assignment : { replicas: [], notAnnounced: [] };
  const evaluators = asked.replicas.filter(({ identity }) => (identity?.query ?? "none") !== "none");
  return { set, labelSets: [...labelSets.values()], evaluators, notAnnounced: asked.notAnnounced };
}

/** The replicas of a part as one evaluator: another one is asked where one is out of reach. */
function evaluatorOf(
  part: Part,
  question: Question | undefined,
  fanout: PartitionedFanout,
  missingParts: Map<Part, MissingPart>,
): Evaluator {
  const { set, labelSets, evaluators, notAnnounced } = part;
  const missing = (clusters: readonly string[], troubles: readonly Trouble[]) => {
    const own = { ...set, clusters, troubles };
    missingParts.set(part, own);
    return textsOf([own]);
  };
  return {
    name: set.name,
    labelSets,
    source: fanout.sourceOf([set]),
    async evaluate(request: EvaluationRequest, signal: AbortSignal) {
      const troubles: Trouble[] = [];
      for (const [i, evaluator] of evaluators.entries()) {
        const { client, spec } = evaluator;
        const isLast = i + 1 === evaluators.length;
        const silenceMs = isLast ? fanout.silenceMs.last : fanout.silenceMs.first;
        const answer = await fanout.queries.evaluate(client, request, signal, silenceMs);
        if (!answer.ok) {
          if (answer.failure.kind !== "unreachable") return fail(answer.failure);
          const { address } = spec;
          troubles.push({ words: describeTrouble(answer.failure.failure, address), address });
          continue;
        }
        const warnings = namedWarnings(evaluator, answer.value.warnings);
        const named = ok({ ...answer.value, warnings });
        // Clusters that it did not announce are missing, unless its own warnings say so.
        if (notAnnounced.length === 0 || missingClusterCount(warnings) >= notAnnounced.length) return named;
        const texts = missing(notAnnounced, [{ words: "not announced by", address: spec.address }]);
        return request.onFailure === "abort" ? fail({ kind: "missing", texts }) : named;
      }
      const clusters = question === undefined ? [] : concernedClusters(set, question);
      return fail({ kind: "missing", texts: missing(clusters, troubles) });
    },
  };
}

function textsOf(parts: readonly MissingPart[]): readonly string[] {
  const report = createMissingReport();
  for (const part of parts) report.missing(part);
  return report.texts();
}
