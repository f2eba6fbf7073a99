/**
 * The queries of Prometheus's own test scripts over series that are spread over parts: two that evaluate, and one whose
 * series are read. The answer is that of one engine over all of them.
 */
import {
  formatLabels,
  hashLabels,
  labelsFromRecord,
  labelValue,
  withLabels,
  type EvaluatingSource,
  type FloatHistogram,
  type SeriesSource,
} from "@pleiad/model";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import type { QueryAnswer, QueryFailure } from "./answer.ts";
import { commandsOf, conformanceScripts as scripts } from "./conformance-scripts.acceptance.ts";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import { engineEvaluator } from "./engine-evaluator.ts";
import { allFeatures } from "./features.ts";
import { plainSettings } from "./test-script-runner.ts";
import { createScriptStorage } from "./test-script-storage.ts";
import type { EvalCommand } from "./test-script.ts";

/** Names that are dropped in the end are known to one engine alone: such queries are not distributed. */
const features = { ...allFeatures, delayedNameRemoval: false };
const ports = { clock: manualClock(), observations: silentObservations() };
const engine = createEngine({ ...defaultEngineOptions, features }, ports);
const parts = ["0", "1", "2"];

/** The series of a source under one more label, by which they are spread. */
function spread(source: SeriesSource, part?: string): SeriesSource {
  return {
    ...source,
    select(request, signal) {
      const matchers = request.matchers.filter(({ name }) => name !== "part");
      const cursor = source.select({ ...request, matchers }, signal);
      return {
        get failure() {
          return cursor.failure;
        },
        warnings: [],
        close: () => cursor.close(),
        async next() {
          for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
            const labelled = batch.map((one) => ({
              ...one,
              labels: withLabels(one.labels, labelsFromRecord({ part: String(hashLabels(one.labels) % 3) })),
            }));
            const kept = labelled.filter(({ labels }) => part === undefined || labelValue(labels, "part") === part);
            if (kept.length > 0) return kept;
          }
          return undefined;
        },
      };
    },
  };
}

function partitioned(source: SeriesSource): EvaluatingSource {
  const [read = "", ...evaluating] = parts;
  const labelSets = (part: string) => [labelsFromRecord({ part })];
  return {
    ...spread(source),
    partition: () => ({
      evaluators: evaluating.map((part) => {
        const own = spread(source, part);
        return { ...engineEvaluator(engine, own, { name: part, features }), labelSets: labelSets(part), source: own };
      }),
      rest: { source: spread(source, read), labelSets: labelSets(read) },
      missing: () => [],
    }),
  };
}

type Outcome =
  | { readonly ok: true; readonly value: QueryAnswer }
  | { readonly ok: false; readonly failure: QueryFailure };

/** An answer but for its numbers, and these. The order of a vector stays open. */
function outline(outcome: Outcome) {
  if (!outcome.ok) return { text: JSON.stringify([outcome.failure.kind]), numbers: [] };
  const { value, warnings, infos } = outcome.value;
  const numbersOf = (one: FloatHistogram) => [
    one.count,
    one.sum,
    one.zeroCount,
    ...one.positiveBuckets,
    ...one.negativeBuckets,
  ];
  const shapeOf = (one: FloatHistogram) => [
    one.schema,
    one.zeroThreshold,
    one.positiveSpans,
    one.negativeSpans,
    [...one.customBounds],
  ];
  const rows =
    value.kind === "vector"
      ? value.labels.map((labels, i) => {
          const histogram = value.histograms[i];
          return histogram === undefined
            ? { name: formatLabels(labels), shape: [], numbers: [value.values[i]] }
            : { name: formatLabels(labels), shape: shapeOf(histogram), numbers: numbersOf(histogram) };
        })
      : value.kind === "matrix"
        ? value.series.map(({ labels, timestampsMs, values, histogramTimestampsMs, histograms }) => ({
            name: formatLabels(labels),
            shape: [[...timestampsMs], [...histogramTimestampsMs], histograms.map(shapeOf)],
            numbers: [...values, ...histograms.flatMap(numbersOf)],
          }))
        : [
            {
              name: value.kind,
              shape: [value.kind === "string" ? value.value : ""],
              numbers: value.kind === "scalar" ? [value.value] : [],
            },
          ];
  rows.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const remarks = [...warnings, ...infos].sort();
  return {
    text: JSON.stringify([value.kind, remarks, rows.map(({ name, shape }) => [name, shape])]),
    numbers: rows.flatMap(({ numbers }) => numbers),
  };
}

function isClose(a: number, b: number): boolean {
  if (a === b || (a !== a && b !== b)) return true;
  return Number.isFinite(a - b) && Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b));
}

async function differenceOf(
  { query, startMs, endMs, stepMs }: EvalCommand,
  source: SeriesSource,
): Promise<string | undefined> {
  const { signal } = new AbortController();
  const ask = async (from: SeriesSource): Promise<Outcome> =>
    stepMs === 0
      ? await engine.instant({ query, timeMs: startMs, select: plainSettings }, from, signal)
      : await engine.range({ query, startMs, endMs, stepMs, select: plainSettings }, from, signal);
  const [wanted, got] = [outline(await ask(spread(source))), outline(await ask(partitioned(source)))];
  if (wanted.text !== got.text) return `${got.text} instead of ${wanted.text}`;
  const at = wanted.numbers.findIndex((number, i) => !isClose(number, got.numbers[i]));
  return at === -1 ? undefined : `${got.numbers[at]} instead of ${wanted.numbers[at]}`;
}

describe.skipIf(scripts.length === 0)("Prometheus's test scripts over parts", () => {
  for (const name of scripts) {
    it(name, async () => {
      const storage = createScriptStorage();
      const surprises: string[] = [];
      for (const command of commandsOf(name)) {
        if (command.kind === "clear") storage.clear();
        else if (command.kind === "load") storage.load(command);
        else {
          const difference = await differenceOf(command, storage.source);
          if (difference !== undefined) surprises.push(`${name}:${command.line} ${command.query}: ${difference}`);
        }
      }
      expect(surprises).toEqual([]);
    });
  }
});
