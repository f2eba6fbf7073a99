/** `info(v, {…})`: the series of a vector with labels of the info series that tell about them. */
import { labelsFromPairs, labelValue, metricNameLabel, withLabels, type Labels } from "@pleiad/model";
import type { SelectNode, StepGrid } from "@pleiad/promql-plan";
import {
  enrichedLabels,
  identityOf,
  infoNameMatchers,
  readInfoSeries,
  testOfAll,
  type InfoSeries,
  type InfoSteps,
} from "./info-series.ts";
import { createLateOperator } from "./late-operator.ts";
import type { NameDrops } from "./name-drops.ts";
import { moveSample, type Operator } from "./operator.ts";
import { createLabelIds } from "./output-labels.ts";
import type { Pace } from "./pace.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError, sameLabelsetText } from "./query-error.ts";

/** Of an input series at a step: no output series. */
const dropped = -1;

/** `select` is read for those series only that the input may be about; its matchers are those of the second argument. */
export function createInfoJoin(input: Operator, select: SelectNode, grid: StepGrid, context: QueryContext): Operator {
  let join: InfoJoin | undefined;
  let step = 0;
  return createLateOperator({
    description: "info",
    inputs: [input],
    dropsName: () => join?.dropsName(),
    async series(signal): Promise<readonly Labels[]> {
      const labels = await input.series(signal);
      const isInfoName = testOfAll(infoNameMatchers(select.matchers));
      const isSubject = (one: Labels) => !isInfoName(labelValue(one, metricNameLabel));
      const infos = await readInfoSeries(select, labels.filter(isSubject), grid, context, signal);
      join = await createJoin({ labels, dropsName: input.dropsName, isSubject }, infos, select, context.pace);
      return join.labels;
    },
    async next(out, signal) {
      if (join === undefined) throw new Error("next before series");
      const steps = await input.next(out, signal);
      let sample = 0;
      let kept = 0;
      for (let i = 0; i < steps; i++, step++) {
        for (; sample < out.sampleEnds[i]; sample++) {
          const id = join.outputOf(out.seriesIds[sample], step);
          if (id === dropped) continue;
          if (join.lastSteps[id] === step) throw new QueryError("execution", sameLabelsetText);
          join.lastSteps[id] = step;
          out.seriesIds[kept] = id;
          moveSample(out, sample, out, kept++);
        }
        out.sampleEnds[i] = kept;
      }
      return steps;
    },
  });
}

interface InfoJoin {
  readonly labels: readonly Labels[]; // by output id
  readonly dropsName: () => NameDrops;
  readonly lastSteps: Int32Array; // by output id: the last step with a sample
  /** The output series of an input series at a step, or `dropped`. */
  readonly outputOf: (id: number, step: number) => number;
}

interface BaseSeries {
  readonly labels: readonly Labels[];
  readonly dropsName: NameDrops;
  /** Whether a series is to be told about: an info series itself is not. */
  readonly isSubject: (labels: Labels) => boolean;
}

async function createJoin(
  { labels, dropsName, isSubject }: BaseSeries,
  infos: InfoSeries,
  select: SelectNode,
  pace: Pace,
): Promise<InfoJoin> {
  const dataMatchers = select.matchers.filter(({ name }) => name !== metricNameLabel);
  const wanted: ReadonlySet<string> = new Set(dataMatchers.map(({ name }) => name));
  const staysAlone = testOfAll(dataMatchers)("");
  const outputs = createLabelIds();
  const drops: number[] = [];
  const entries: JoinEntry[] = []; // by input id
  for (const [id, one] of labels.entries()) {
    const outputFor = (enriched: Labels) => {
      const number = outputs.idOf(enriched);
      drops[number] = Math.max(drops[number] ?? 0, dropsName?.[id] ?? 0);
      return number;
    };
    const steps = isSubject(one) ? infos.stepsOf.get(identityOf(one)) : undefined;
    const isDropped = isSubject(one) && !staysAlone;
    const enriched = new Map<number, Outcome>();
    for (const combination of steps?.occurring ?? []) {
      if (combination === 0) continue;
      const told = infos.combinations[combination].map((info) => infos.labels[info]);
      const outcome = catchConflict(() => withLabels(one, labelsFromPairs(enrichedLabels(one, told, wanted))));
      enriched.set(combination, outcome instanceof QueryError ? outcome : outputFor(outcome));
    }
    const mayBeAlone = !isDropped && (steps === undefined || steps.occurring.includes(0));
    entries.push({ alone: mayBeAlone ? outputFor(one) : dropped, steps, enriched });
    if (pace.due()) await pace.rest();
  }
  return {
    labels: outputs.labels,
    dropsName: () => (dropsName === undefined ? undefined : Uint8Array.from(drops)),
    lastSteps: new Int32Array(outputs.labels.length).fill(-1),
    outputOf(id, step) {
      const { alone, steps, enriched } = entries[id];
      const outcome = steps === undefined ? alone : (enriched.get(steps.combinationAt[step]) ?? alone);
      // Only a sample makes a conflict one: it fails the query when it comes.
      if (outcome instanceof QueryError) throw outcome;
      return outcome;
    },
  };
}

/** What becomes of an input series: by itself, and with each combination of info series that tells about it. */
interface JoinEntry {
  readonly alone: number;
  readonly steps: InfoSteps | undefined;
  readonly enriched: ReadonlyMap<number, Outcome>;
}

type Outcome = number | QueryError;

function catchConflict(enrich: () => Labels): Labels | QueryError {
  try {
    return enrich();
  } catch (error) {
    if (error instanceof QueryError) return error;
    throw error;
  }
}
