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
} from "./info-series.ts";
import type { NameDrops } from "./name-drops.ts";
import { moveSample, type Operator } from "./operator.ts";
import { createLabelIds } from "./output-labels.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError, sameLabelsetText } from "./query-error.ts";

/** Of an input series at a step: no output series. */
const dropped = -1;

/** `select` is read for those series only that the input may be about; its matchers are those of the second argument. */
export function createInfoJoin(input: Operator, select: SelectNode, grid: StepGrid, context: QueryContext): Operator {
  let join: InfoJoin | undefined;
  let step = 0;
  return {
    description: "info",
    inputs: [input],
    get dropsName() {
      return join?.dropsName();
    },
    async series(signal): Promise<readonly Labels[]> {
      const labels = await input.series(signal);
      const isInfoName = testOfAll(infoNameMatchers(select.matchers));
      const isSubject = (one: Labels) => !isInfoName(labelValue(one, metricNameLabel));
      const infos = await readInfoSeries(select, labels.filter(isSubject), grid, context, signal);
      join = createJoin({ labels, dropsName: input.dropsName, isSubject }, infos, select);
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
  };
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

function createJoin({ labels, dropsName, isSubject }: BaseSeries, infos: InfoSeries, select: SelectNode): InfoJoin {
  const dataMatchers = select.matchers.filter(({ name }) => name !== metricNameLabel);
  const wanted: ReadonlySet<string> = new Set(dataMatchers.map(({ name }) => name));
  const staysAlone = testOfAll(dataMatchers)("");
  const outputs = createLabelIds();
  const drops: number[] = [];
  // By input id: undefined for what is told nothing about; else the output by combination, or the failure that it is.
  const tables = labels.map((one, id) => {
    const output = (enriched: Labels) => {
      const number = outputs.idOf(enriched);
      drops[number] = Math.max(drops[number] ?? 0, dropsName?.[id] ?? 0);
      return number;
    };
    if (!isSubject(one)) return { alone: output(one), steps: undefined, byCombination: new Map<number, Outcome>() };
    const steps = infos.stepsOf.get(identityOf(one));
    const byCombination = new Map<number, Outcome>();
    for (const combination of new Set(steps)) {
      if (combination === 0) continue;
      const told = infos.combinations[combination].map((info) => infos.labels[info]);
      const enriched = catchConflict(() => withLabels(one, labelsFromPairs(enrichedLabels(one, told, wanted))));
      byCombination.set(combination, enriched instanceof QueryError ? enriched : output(enriched));
    }
    const isAlone = steps === undefined || steps.includes(0);
    return { alone: staysAlone && isAlone ? output(one) : dropped, steps, byCombination };
  });
  return {
    labels: outputs.labels,
    dropsName: () => (dropsName === undefined ? undefined : Uint8Array.from(drops)),
    lastSteps: new Int32Array(outputs.labels.length).fill(-1),
    outputOf(id, step) {
      const { alone, steps, byCombination } = tables[id];
      const outcome = steps === undefined ? alone : (byCombination.get(steps[step]) ?? alone);
      // Only a sample makes a conflict one: it fails the query when it comes.
      if (outcome instanceof QueryError) throw outcome;
      return outcome;
    },
  };
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
