/** For tests: answers of the HTTP API, and whether two to one query are the same. */

type Sample = readonly [seconds: number, value: string];

interface AnswerHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [boundaries: number, lower: string, upper: string, count: string])[];
}

type HistogramSample = readonly [seconds: number, histogram: AnswerHistogram];

interface AnswerSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Sample;
  readonly values?: readonly Sample[];
  readonly histogram?: HistogramSample;
  readonly histograms?: readonly HistogramSample[];
}

/** An answer of the HTTP API. */
export interface FleetAnswer {
  readonly status: string;
  readonly error?: string;
  readonly errorType?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data?:
    | { readonly resultType: "vector" | "matrix"; readonly result: readonly AnswerSeries[] }
    | { readonly resultType: "scalar"; readonly result: Sample };
}

/**
 * Where two answers to a query differ, the whole one first; undefined where they do not. Values are the same to the last bit
 * where nothing is added up over series, whose order is open, and within 1e-12 otherwise.
 */
export function answerDifference(query: string, whole: FleetAnswer, other: FleetAnswer): string | undefined {
  // Duplicates on one side of a join fail it where they meet nothing too, if only anything is on the other side. Of a join
  // that every part makes for itself that is not seen where a part has nothing on the other side: the answer is the same
  // as without the duplicates, which the failure says are of no use.
  if (whole.error?.startsWith("found duplicate series") === true && other.status === "success") return undefined;
  // Of several groups, which one comes first is left open.
  const isRanked = /^(?:topk|bottomk) \(/.test(query);
  const [wanted, got] = [outline(whole, isRanked), outline(other, isRanked)];
  if (wanted.text !== got.text) return `${got.text} instead of ${wanted.text}`;
  const isSorted = query.startsWith("sort");
  const isSame = /\b(?:sum|avg|stddev|stdvar)\b/.test(query) ? isClose : Object.is;
  // Which of equal values comes first is left open.
  return (
    differentValue(wanted.values, got.values, isSame) ??
    (isSorted ? differentValue(wanted.valuesAsGiven, got.valuesAsGiven, isSame) : undefined)
  );
}

function differentValue(
  wanted: readonly number[],
  got: readonly number[],
  isSame: (wanted: number, got: number) => boolean,
): string | undefined {
  const at = wanted.findIndex((value, i) => !isSame(value, got[i] ?? Infinity));
  return at === -1 ? undefined : `value ${at}: ${got[at]} instead of ${wanted[at]}`;
}

/** All but the values, and these apart. What stays open is the order of series that are not sorted. */
function outline({ status, errorType, data, warnings, infos }: FleetAnswer, isRanked: boolean) {
  const result = data?.resultType === "scalar" ? [{ metric: {}, value: data.result }] : (data?.result ?? []);
  const series = result.map(
    ({
      metric,
      value,
      values = value === undefined ? [] : [value],
      histogram,
      histograms = histogram === undefined ? [] : [histogram],
    }: AnswerSeries) => ({
      name: JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1))),
      times: [...values.map(([time]) => time), ...histograms.map(([time, { buckets = [] }]) => [time, buckets.length])],
      values: [...values.map(([, one]) => Number(one)), ...histograms.flatMap(([, one]) => numbersOf(one))],
    }),
  );
  const valuesOf = (all: typeof series) => all.flatMap(({ values }) => values);
  const valuesAsGiven = valuesOf(series);
  if (!isRanked) series.sort((a, b) => (a.name < b.name ? -1 : 1));
  const seen = series.map(({ name, times }) => [name, times]);
  return {
    text: JSON.stringify([status, errorType, data?.resultType, warnings?.toSorted(), infos?.toSorted(), seen]),
    values: valuesOf(series),
    valuesAsGiven,
  };
}

function numbersOf({ count, sum, buckets = [] }: AnswerHistogram): readonly number[] {
  return [count, sum, ...buckets.flat()].map(Number);
}

/** Zeros are equal whatever their sign: compensated sums have no negative one. */
function isClose(wanted: number, got: number): boolean {
  if (Object.is(wanted, got) || wanted === got) return true;
  return Number.isFinite(wanted - got) && Math.abs(wanted - got) <= 1e-12 * Math.max(Math.abs(wanted), Math.abs(got));
}
