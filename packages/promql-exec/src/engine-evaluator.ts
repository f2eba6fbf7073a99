/** An engine over a source as what evaluates for others: the same query, the same options, or a refusal. */
import {
  emptyLabels,
  fail,
  ok,
  unreachable,
  type EvaluatedSeries,
  type QueryEvaluator,
  type SeriesSource,
} from "@pleiad/model";
import type { AnswerValue } from "./answer.ts";
import type { Engine } from "./engine.ts";
import { featureNamesOf, type Features } from "./features.ts";

export interface EngineEvaluatorOptions {
  readonly name: string;
  readonly features: Features; // those of the engine
}

export function engineEvaluator(
  engine: Engine,
  source: SeriesSource,
  { name, features }: EngineEvaluatorOptions,
): QueryEvaluator {
  const ownFeatures = featureNamesOf(features);
  return {
    name,
    async evaluate(request, signal) {
      const { query, startMs, endMs, stepMs, timeoutMs, lookbackMs, evaluationIntervalMs } = request;
      const { withoutLabels, maxResolutionMs, onFailure } = request;
      if (request.features !== undefined && request.features.join() !== ownFeatures.join()) {
        const have = ownFeatures.join(", ") || "none";
        return fail({ kind: "refused", reason: `the engine has other features: ${have}` });
      }
      const select = { withoutLabels, maxResolutionMs, onFailure };
      const common = { query, timeoutMs, lookbackMs, evaluationIntervalMs, select };
      const result =
        stepMs > 0
          ? await engine.range({ ...common, startMs, endMs, stepMs }, source, signal)
          : await engine.instant({ ...common, timeMs: startMs }, source, signal);
      if (!result.ok) {
        const { kind, message } = result.failure;
        return fail(
          signal.aborted || kind === "canceled" ? { kind: "canceled" } : { kind: "refused", reason: message },
        );
      }
      const { value, warnings, infos, sourceWarnings, statistics } = result.value;
      const series = seriesOf(value);
      if (series === undefined) return fail({ kind: "refused", reason: "the query gives a text" });
      return ok({
        series,
        warnings: [...warnings, ...infos, ...sourceWarnings],
        samplesRead: statistics.samplesRead,
        samplesPeak: statistics.samplesPeak,
        answeredBy: name,
        receivedBytes: 0,
      });
    },
  };
}

const none = new Float64Array(0);

/** A scalar is a series without labels; a text is none. */
function seriesOf(value: AnswerValue): readonly EvaluatedSeries[] | undefined {
  switch (value.kind) {
    case "matrix":
      return value.series;
    case "vector": {
      const { labels, values, histograms } = value;
      const timestampsMs = Float64Array.of(value.timestampMs);
      return labels.map((one, i) => {
        const histogram = histograms[i];
        return histogram === undefined
          ? {
              labels: one,
              timestampsMs,
              values: values.subarray(i, i + 1),
              histogramTimestampsMs: none,
              histograms: [],
            }
          : {
              labels: one,
              timestampsMs: none,
              values: none,
              histogramTimestampsMs: timestampsMs,
              histograms: [histogram],
            };
      });
    }
    case "scalar": {
      const timestampsMs = Float64Array.of(value.timestampMs);
      const values = Float64Array.of(value.value);
      return [{ labels: emptyLabels, timestampsMs, values, histogramTimestampsMs: none, histograms: [] }];
    }
    case "string":
      return undefined;
    default:
      return unreachable(value);
  }
}
