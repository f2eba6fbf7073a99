/** Operators that look at one sample at a time: functions of a value, arithmetic and comparison with a scalar. */
import type { Operator, RowStream, StepBatch } from "./operator.ts";
import type { ScalarColumn } from "./scalar-column.ts";

/** What becomes of a sample at a step. Where `keeps` is there, samples that it refuses are left out. */
export interface SampleMapping {
  readonly map: (value: number, step: number) => number;
  readonly keeps?: (value: number, step: number) => boolean;
}

/** `mapping` is made once the scalars are known. Labels stay as they are. */
export function createMappedSamples(
  input: Operator,
  scalars: readonly ScalarColumn[],
  mappingOf: (scalars: readonly Float64Array[]) => SampleMapping,
  description: string,
): Operator {
  let mapping: SampleMapping = { map: (value) => value };
  let step = 0;
  return {
    description,
    inputs: [input],
    async series(signal) {
      const columns: Float64Array[] = [];
      for (const scalar of scalars) columns.push(await scalar(signal));
      mapping = mappingOf(columns);
      return await input.series(signal);
    },
    get rows() {
      return input.rows && mappedRows(input.rows, mapping);
    },
    async next(out, signal) {
      const stepCount = await input.next(out, signal);
      mapBatch(out, stepCount, mapping, step);
      step += stepCount;
      return stepCount;
    },
  };
}

function mappedRows(rows: RowStream, { map, keeps }: SampleMapping): RowStream {
  return {
    each: async (visit, signal) => {
      await rows.each((seriesId, values, present) => {
        for (let step = 0; step < values.length; step++) {
          if (present[step] === 0) continue;
          if (keeps !== undefined && !keeps(values[step], step)) present[step] = 0;
          else values[step] = map(values[step], step);
        }
        visit(seriesId, values, present);
      }, signal);
    },
  };
}

function mapBatch(batch: StepBatch, stepCount: number, { map, keeps }: SampleMapping, firstStep: number): void {
  const { values, seriesIds, sampleEnds } = batch;
  let sample = 0;
  let kept = 0;
  for (let step = 0; step < stepCount; step++) {
    for (; sample < sampleEnds[step]; sample++) {
      const value = values[sample];
      if (keeps !== undefined && !keeps(value, firstStep + step)) continue;
      values[kept] = map(value, firstStep + step);
      seriesIds[kept++] = seriesIds[sample];
    }
    sampleEnds[step] = kept;
  }
}
