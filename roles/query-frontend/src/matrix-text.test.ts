import { describe, expect, it } from "vitest";
import { readMatrix, readRangeAnswer, seriesJson, sliceSeries } from "./matrix-text.ts";
import { combineStatistics, mergeSeries, uniteRemarks } from "./matrix-merge.ts";

const grid = { startMs: 0, endMs: 40_000, stepMs: 10_000 };

const whole = (result: string, more = "") =>
  `{"status":"success","data":{"resultType":"matrix","result":[${result}]}${more}}`;
const histogram = (time: number) => `[${time},{"count":"3","sum":"4","buckets":[[0,"0.5","1","2"],[0,"1","2","1"]]}]`;

const matrixOf = (text: string) => {
  const read = readMatrix(text, grid);
  if (!read.ok) throw new Error(read.failure);
  return read.value;
};

describe("an answer is read as it was written", () => {
  for (const [rule, series] of [
    ["floats", '{"metric":{"__name__":"up","z":"\\u003c\\"]}"},"values":[[0,"1"],[10,"NaN"],[40,"+Inf"]]}'],
    ["histograms", `{"metric":{},"histograms":[${histogram(0)},${histogram(30)}]}`],
    ["both", `{"metric":{"a":"b"},"values":[[0,"1"]],"histograms":[${histogram(10)}]}`],
  ] as const) {
    it(rule, () => {
      const read = readRangeAnswer(whole(series), grid);
      expect(read.ok && read.value.series.map(seriesJson)).toEqual([series]);
    });
  }

  it("with its remarks, statistics and fields that are not known", () => {
    const more = ',"warnings":["w"],"infos":["i"],"traceId":{"a":[1,"]"]}';
    const read = readRangeAnswer(whole("", more).replace("]}", '],"stats":{"samples":{"peakSamples":1}}}'), grid);
    expect(read).toEqual({
      ok: true,
      value: { series: [], warnings: ["w"], infos: ["i"], stats: { samples: { peakSamples: 1 } } },
    });
  });
});

describe("an answer is refused that has", () => {
  for (const [rule, text, reason] of [
    ["a sample off the steps", whole('{"metric":{},"values":[[5,"1"]]}'), /sample at 5, which is no step/],
    ["a sample twice", whole('{"metric":{},"values":[[10,"1"],[10,"1"]]}'), /sample at 10, which is no step/],
    ["a sample after the end", whole('{"metric":{},"values":[[50,"1"]]}'), /sample at 50/],
    ["a time that is no number", whole('{"metric":{},"values":[["x","1"]]}'), /sample at "x"/],
    ["a value that is no text", whole('{"metric":{},"values":[[0,1]]}'), /expected a sample/],
    ["half of a sample", whole('{"metric":{},"values":[[0,"1'), /expected a sample/],
    ["no values where they are named", whole('{"metric":{},"values":[]}'), /expected a sample/],
    ["no labels", whole('{"values":[[0,"1"]]}'), /no labels/],
    ["a label that is no text", whole('{"metric":{"a":1}}'), /the label "a" is no text/],
    ["a result of another kind", '{"status":"success","data":{"resultType":"vector","result":[]}}', /no matrix/],
    ["no result", '{"status":"success","data":{"resultType":"matrix"}}', /no result/],
    ["another status", '{"status":"error","data":{"result":[]}}', /not success/],
    ["more behind its end", `${whole("")}x`, /expected the end/],
    ["an end before its time", '{"status":"success","data":{"resultType":"matrix","result":[', /expected/],
    ["nothing", "", /expected/],
  ] as const) {
    it(rule, () => {
      const read = readRangeAnswer(text, grid);
      expect(read.ok ? "it was read" : read.failure).toMatch(reason);
    });
  }

  it("any letter less or another is read as something or refused, and never throws", () => {
    const text = whole(
      `{"metric":{"a":"b"},"values":[[0,"1"],[10,"2"]],"histograms":[${histogram(30)}]}`,
      ',"infos":["x"]',
    );
    for (let i = 0; i < text.length; i++) {
      for (const changed of [
        text.slice(0, i),
        text.slice(0, i) + text.slice(i + 1),
        `${text.slice(0, i)}"${text.slice(i + 1)}`,
      ]) {
        expect(typeof readRangeAnswer(changed, grid).ok).toBe("boolean");
      }
    }
  });
});

describe("a piece of the time", () => {
  const series = matrixOf(
    `[{"metric":{"a":"1"},"values":[[0,"1"],[10,"2"],[20,"3"]],"histograms":[${histogram(30)},${histogram(40)}]},{"metric":{"a":"2"},"values":[[40,"5"]]}]`,
  );
  for (const [fromMs, toMs, expected] of [
    [0, 40_000, series.map(seriesJson)],
    [10_000, 20_000, ['{"metric":{"a":"1"},"values":[[10,"2"],[20,"3"]]}']],
    [11_000, 19_000, []],
    [20_000, 30_000, [`{"metric":{"a":"1"},"values":[[20,"3"]],"histograms":[${histogram(30)}]}`]],
    [
      40_000,
      40_000,
      [`{"metric":{"a":"1"},"histograms":[${histogram(40)}]}`, '{"metric":{"a":"2"},"values":[[40,"5"]]}'],
    ],
    [50_000, 60_000, []],
    [-20_000, -10_000, []],
  ] as const) {
    it(`${fromMs}..${toMs}`, () => expect(sliceSeries(series, fromMs, toMs).map(seriesJson)).toEqual(expected));
  }

  it("and the rest give the whole again, wherever it is cut", () => {
    for (let cutMs = -5_000; cutMs <= 45_000; cutMs += 5_000) {
      const parts = [sliceSeries(series, 0, cutMs), sliceSeries(series, cutMs + 1, 40_000)];
      expect(mergeSeries(parts).map(seriesJson)).toEqual(series.map(seriesJson));
    }
  });
});

it("remarks are united, and those that were left out are counted by the least that there can be", () => {
  const twelve = Array.from({ length: 10 }, (_, i) => `w${i}`).concat("2 more warning annotations omitted");
  expect(
    uniteRemarks(
      [
        ["a", "b"],
        ["b", "c"],
      ],
      "warning",
    ),
  ).toEqual(["a", "b", "c"]);
  expect(uniteRemarks([twelve, ["w0"]], "warning")).toEqual(twelve);
  expect(uniteRemarks([twelve.slice(0, 9), ["x", "y", "z"]], "warning").at(-1)).toBe(
    "2 more warning annotations omitted",
  );
});

it("statistics add up, peaks are the largest, lists follow each other", () => {
  const part = (n: number) => ({
    timings: { evalTotalTime: n },
    samples: { peakSamples: n, totalQueryableSamples: n, perStep: [[n, 1]] },
  });
  expect(combineStatistics([part(1), undefined, part(3), part(2)])).toEqual({
    timings: { evalTotalTime: 6 },
    samples: {
      peakSamples: 3,
      totalQueryableSamples: 6,
      perStep: [
        [1, 1],
        [3, 1],
        [2, 1],
      ],
    },
  });
  expect(combineStatistics([undefined])).toBeUndefined();
});
