/** Operators that look at one sample at a time: functions of a value, arithmetic and comparison with a scalar. */
import type { FloatHistogram } from "@pleiad/model";
import { createLateOperator } from "./late-operator.ts";
import {
  floatSample,
  histogramSample,
  noSample,
  type Operator,
  type RowHistograms,
  type RowStream,
  type StepBatch,
} from "./operator.ts";
import type { ScalarColumn } from "./scalar-column.ts";

/** What becomes of a sample at a step. Where `keeps` is there, samples that it refuses are left out. */
export interface SampleMapping {
  readonly map: (value: number, step: number) => number;
  readonly keeps?: (value: number, step: number) => boolean;
  /** What becomes of a native histogram: another, a float, or nothing. Where this is absent, histograms are left out. */
  readonly mapHistogram?: (histogram: FloatHistogram, step: number) => FloatHistogram | number | undefined;
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
  return createLateOperator({
    description,
    inputs: [input],
    dropsName: () => input.dropsName,
    async series(signal) {
      const columns: Float64Array[] = [];
      for (const scalar of scalars) columns.push(await scalar(signal));
      mapping = mappingOf(columns);
      return await input.series(signal);
    },
    rows: () => input.rows && mappedRows(input.rows, mapping),
    async next(out, signal) {
      const stepCount = await input.next(out, signal);
      mapBatch(out, stepCount, mapping, step);
      step += stepCount;
      return stepCount;
    },
  });
}

function mappedRows(rows: RowStream, mapping: SampleMapping): RowStream {
  const { map, keeps } = mapping;
  return {
    each: async (visit, signal) => {
      await rows.each((seriesId, values, present, histograms) => {
        if (histograms !== undefined) mapRowHistograms(values, present, histograms, mapping);
        else {
          for (let step = 0; step < values.length; step++) {
            if (present[step] === noSample) continue;
            if (keeps !== undefined && !keeps(values[step], step)) present[step] = noSample;
            else values[step] = map(values[step], step);
          }
        }
        visit(seriesId, values, present, histograms);
      }, signal);
    },
  };
}

/** Maps a row of a series that has histograms, and perhaps floats too. */
function mapRowHistograms(
  values: Float64Array,
  present: Uint8Array,
  histograms: RowHistograms,
  { map, keeps, mapHistogram }: SampleMapping,
): void {
  for (let step = 0; step < values.length; step++) {
    if (present[step] === floatSample) {
      if (keeps !== undefined && !keeps(values[step], step)) present[step] = noSample;
      else values[step] = map(values[step], step);
    } else if (present[step] === histogramSample) {
      const histogram = histograms[step];
      const mapped = histogram && mapHistogram?.(histogram, step);
      histograms[step] = undefined;
      if (mapped === undefined) present[step] = noSample;
      else if (typeof mapped === "number") {
        values[step] = mapped;
        present[step] = floatSample;
      } else histograms[step] = mapped;
    }
  }
}

function mapBatch(batch: StepBatch, stepCount: number, mapping: SampleMapping, firstStep: number): void {
  const { map, keeps, mapHistogram } = mapping;
  const { values, seriesIds, sampleEnds, histograms } = batch;
  let sample = 0;
  let kept = 0;
  for (let step = 0; step < stepCount; step++) {
    for (; sample < sampleEnds[step]; sample++) {
      const histogram = histograms[sample];
      if (histogram !== undefined) {
        const mapped = mapHistogram?.(histogram, firstStep + step);
        if (mapped === undefined) continue;
        const isFloat = typeof mapped === "number";
        if (isFloat) values[kept] = mapped;
        histograms[kept] = isFloat ? undefined : mapped;
        seriesIds[kept++] = seriesIds[sample];
        continue;
      }
      const value = values[sample];
      if (keeps !== undefined && !keeps(value, firstStep + step)) continue;
      values[kept] = map(value, firstStep + step);
      if (histograms.length > 0) histograms[kept] = undefined;
      seriesIds[kept++] = seriesIds[sample];
    }
    sampleEnds[step] = kept;
  }
}
