/** Engine evaluators of one process that evaluate together: over what several have as over one source. */
import {
  labelsKey,
  withoutLabels,
  type EvaluationRequest,
  type EvaluatorGroup,
  type Labels,
  type QueryEvaluator,
  type SeriesSource,
} from "@pleiad/model";
import { engineEvaluator, type EngineEvaluatorOptions } from "./engine-evaluator.ts";
import type { Engine } from "./engine.ts";

export interface EngineEvaluators extends EvaluatorGroup {
  /** An evaluator, a member from now on. Every series of the source has the `labels`. */
  add(source: SeriesSource, labels: Labels, name: string): QueryEvaluator;
}

interface Member {
  readonly id: number;
  readonly source: SeriesSource;
  readonly labels: Labels;
}

/** Of members that were asked together: clusters of a region, or of a group within it. */
const keptMax = 32;

/** `merge` gives the union of sources, series in label order. */
export function engineEvaluators(
  engine: Engine,
  { features }: Pick<EngineEvaluatorOptions, "features">,
  merge: (sources: readonly SeriesSource[]) => SeriesSource,
): EngineEvaluators {
  const members = new WeakMap<QueryEvaluator, Member>();
  let added = 0;
  /** By members and labels that are left out; undefined for those that do not evaluate together. */
  const kept = new Map<string, QueryEvaluator | undefined>();

  const opened = (asked: readonly Member[], { withoutLabels }: EvaluationRequest): QueryEvaluator | undefined => {
    const labels = asked.map((member) => member.labels);
    if (!tellApart(labels, withoutLabels)) return undefined;
    const source = merge(asked.map((member) => member.source));
    return engineEvaluator(engine, source, { name: `${asked.length} of one process`, features });
  };

  return {
    add(source, labels, name) {
      const evaluator = engineEvaluator(engine, source, { name, features });
      members.set(evaluator, { id: added++, source, labels });
      return evaluator;
    },
    together(evaluators, request) {
      const asked = evaluators.flatMap((evaluator) => members.get(evaluator) ?? []);
      if (asked.length < evaluators.length) return undefined;
      const key = `${request.withoutLabels.join("\n")}\n\n${asked.map(({ id }) => id).join()}`;
      const known = kept.get(key);
      if (known !== undefined || kept.has(key)) return known;
      const all = opened(asked, request);
      const [oldest] = kept.keys();
      if (oldest !== undefined && kept.size >= keptMax) kept.delete(oldest);
      kept.set(key, all);
      return all;
    },
  };
}

/**
 * Whether no two of the label sets are the same, and all have the same names: then no series of one is a series of another, nor is
 * it merged with one as a replica of it.
 */
function tellApart(sets: readonly Labels[], without: readonly string[]): boolean {
  const leftOut = new Set(without);
  const own = sets.map((labels) => withoutLabels(labels, leftOut));
  const names = new Set(own.map((labels) => JSON.stringify(labels.filter((_, i) => i % 2 === 0))));
  return names.size === 1 && new Set(own.map(labelsKey)).size === sets.length;
}
