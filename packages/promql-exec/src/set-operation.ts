/** `and`, `or` and `unless`: vectors as sets of label sets. */
import type { Labels } from "@pleiad/model";
import type { VectorMatching } from "@pleiad/promql-syntax";
import { createJoinTable, type JoinTable } from "./join-table.ts";
import { createLateOperator } from "./late-operator.ts";
import { concatNameDrops, mergeNameDrops, type NameDrops } from "./name-drops.ts";
import {
  createStepBatch,
  moveSample,
  reserveSamples,
  type Operator,
  type RowStream,
  type StepBatch,
} from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError, sameLabelsetText } from "./query-error.ts";
import { outputLabels, sameLabels } from "./output-labels.ts";

export type SetOperator = "and" | "or" | "unless";

export function createSetOperation(
  left: Operator,
  right: Operator,
  operator: SetOperator,
  matching: Pick<VectorMatching, "on" | "labels">,
  context: QueryContext,
): Operator {
  let table: JoinTable | undefined;
  let stamps = new Uint32Array(0); // by match: the last step in which the deciding side had it
  let outputIds = new Uint32Array(0); // by left id, then by right id
  let outputStamps = new Uint32Array(0);
  let leftCount = 0;
  let areApart = false; // of `or`: no series of one side stands for any of the other
  let drops: NameDrops;
  let stamp = 0;
  let leftBatch: StepBatch | undefined;
  let rightBatch: StepBatch | undefined;
  return createLateOperator({
    description: operator,
    inputs: [left, right],
    dropsName: () => (operator === "or" ? drops : left.dropsName),
    hasDistinctLabels: () => areApart || undefined,
    rows: () => (areApart && left.rows && right.rows ? oneAfterTheOther(left.rows, right.rows, leftCount) : undefined),
    async series(signal): Promise<readonly Labels[]> {
      // Both at once: each may wait for stores far away.
      const [leftLabels, rightLabels] = await Promise.all([left.series(signal), right.series(signal)]);
      table = await createJoinTable(leftLabels, rightLabels, matching, context.pace);
      stamps = new Uint32Array(table.matchCount);
      leftCount = leftLabels.length;
      if (operator !== "or") return leftLabels;
      const output = await outputLabels([...leftLabels, ...rightLabels], sameLabels, context.pace);
      outputIds = Uint32Array.from(output.ids);
      const both = concatNameDrops(left.dropsName, leftCount, right.dropsName, rightLabels.length);
      drops = mergeNameDrops(both, output.ids, output.labels.length);
      outputStamps = new Uint32Array(output.labels.length);
      areApart = !output.isMerging && !haveMatch(table);
      return output.labels;
    },
    async next(out, signal) {
      if (table === undefined) throw new Error("next before series");
      leftBatch ??= createStepBatch(out.stepCountMax);
      rightBatch ??= createStepBatch(out.stepCountMax);
      const steps = await left.next(leftBatch, signal);
      const otherSteps = await right.next(rightBatch, signal);
      if (steps !== otherSteps) throw new Error(`sides out of step: ${steps} and ${otherSteps}`);
      if (steps === 0) return 0;
      reserveSamples(out, leftBatch.sampleEnds[steps - 1] + rightBatch.sampleEnds[steps - 1]);
      out.timestampsMs.set(leftBatch.timestampsMs.subarray(0, steps));
      out.histograms.length = 0;
      let count = 0;
      const write = (id: number, from: StepBatch, sample: number) => {
        out.seriesIds[count] = id;
        moveSample(from, sample, out, count++);
      };
      const writeOnce = (id: number, from: StepBatch, sample: number) => {
        if (outputStamps[id] === stamp) throw new QueryError("execution", sameLabelsetText);
        outputStamps[id] = stamp;
        write(id, from, sample);
      };
      for (let step = 0; step < steps; step++) {
        stamp++;
        const { leftMatches, rightMatches } = table;
        if (operator === "or") {
          eachSample(leftBatch, step, (id, batch, sample) => {
            stamps[leftMatches[id]] = stamp;
            writeOnce(outputIds[id], batch, sample);
          });
          eachSample(rightBatch, step, (id, batch, sample) => {
            if (stamps[rightMatches[id]] !== stamp) writeOnce(outputIds[leftCount + id], batch, sample);
          });
        } else {
          eachSample(rightBatch, step, (id) => {
            stamps[rightMatches[id]] = stamp;
          });
          const wanted = operator === "and";
          eachSample(leftBatch, step, (id, batch, sample) => {
            if ((stamps[leftMatches[id]] === stamp) === wanted) write(id, batch, sample);
          });
        }
        out.sampleEnds[step] = count;
        if (context.pace.due()) await context.pace.rest();
      }
      return steps;
    },
  });
}

/** Whether any series of one side matches one of the other. */
function haveMatch({ matchCount, leftMatches, rightMatches }: JoinTable): boolean {
  const isLeft = new Uint8Array(matchCount);
  for (const match of leftMatches) isLeft[match] = 1;
  return rightMatches.some((match) => isLeft[match] === 1);
}

/** Rows of both sides; the ids of the right one come after the left one's. */
function oneAfterTheOther(left: RowStream, right: RowStream, leftCount: number): RowStream {
  return {
    async each(visit, signal) {
      await left.each(visit, signal);
      await right.each((seriesId, ...row) => visit(leftCount + seriesId, ...row), signal);
    },
  };
}

function eachSample(
  batch: StepBatch,
  step: number,
  visit: (seriesId: number, batch: StepBatch, sample: number) => void,
): void {
  const end = batch.sampleEnds[step];
  for (let i = step === 0 ? 0 : batch.sampleEnds[step - 1]; i < end; i++) visit(batch.seriesIds[i], batch, i);
}
