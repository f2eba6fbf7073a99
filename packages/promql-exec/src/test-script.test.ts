import { formatLabels } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { parseTestScript, type ScriptCommand } from "./test-script.ts";

function commandsOf(text: string): readonly ScriptCommand[] {
  const commands = parseTestScript(text);
  if (!commands.ok) throw new Error(`${commands.failure.line}: ${commands.failure.reason}`);
  return commands.value;
}

function loaded(line: string) {
  const [command] = commandsOf(`load 1m\n  ${line}`);
  if (command.kind !== "load") throw new Error(command.kind);
  return command.series[0];
}

function evalOf(text: string) {
  const [command] = commandsOf(text);
  if (command.kind !== "eval") throw new Error(command.kind);
  return command;
}

describe("the items of a series", () => {
  for (const [rule, items, values] of [
    ["numbers", "1 -2.5 1e3 +Inf NaN", [1, -2.5, 1000, Infinity, NaN]],
    ["omitted positions", "1 _ _x2 2", [1, undefined, undefined, undefined, 2]],
    ["staleness markers", "1 stale", [1, "stale"]],
    ["one more copy than the count says", "3x2", [3, 3, 3]],
    ["no hexadecimal: a zero and three more", "0x3", [0, 0, 0, 0]],
    ["steps up", "1+2x2", [1, 3, 5]],
    ["steps down, to below zero", "1-2x2", [1, -1, -3]],
    ["steps by repeated addition, roundings and all", "0+0.1x3", [0, 0.1, 0.2, 0.1 + 0.1 + 0.1]],
    ["exponents are no steps", "1e-1x1", [0.1, 0.1]],
  ] as const) {
    it(rule, () => expect(loaded(`x ${items}`).values).toEqual(values));
  }
});

describe("native histograms of a series", () => {
  const bucketsOf = (items: string) =>
    loaded(`x ${items}`).values.map((value) =>
      typeof value === "object" ? [...value.histogram.positiveBuckets] : value,
    );

  for (const [rule, items, values] of [
    ["buckets as they stand", "{{sum:1 buckets:[1 2]}}", [[1, 2]]],
    ["one more copy than the count says", "{{buckets:[1]}}x2", [[1], [1], [1]]],
    ["steps up", "{{buckets:[1]}}+{{buckets:[2]}}x2", [[1], [3], [5]]],
    ["steps down", "{{buckets:[5]}}-{{buckets:[2]}}x1", [[5], [3]]],
    ["among floats and gaps", "1 _ {{}} stale", [1, undefined, [], "stale"]],
  ] as const) {
    it(rule, () => expect(bucketsOf(items)).toEqual(values));
  }

  it("have what is written and zeros elsewhere", () => {
    const [value] = loaded(
      "x {{schema:-53 n_offset:2 n_buckets:[1] custom_values:[5 10] z_bucket_w:0.1 counter_reset_hint:not_reset}}",
    ).values;
    expect(value).toEqual({
      isHintGiven: true,
      histogram: {
        schema: -53,
        zeroThreshold: 0.1,
        zeroCount: 0,
        count: 0,
        sum: 0,
        positiveSpans: [],
        positiveBuckets: new Float64Array(0),
        negativeSpans: [{ offset: 2, length: 1 }],
        negativeBuckets: Float64Array.of(1),
        customBounds: Float64Array.of(5, 10),
        counterReset: "not-reset",
      },
    });
  });
});

describe("the start timestamps of a series", () => {
  for (const [rule, items, startsMs] of [
    ["times before the sample", "-30s -1m30s", [-30_000, -90_000]],
    ["omitted positions", "_ _x2 0", [undefined, undefined, undefined, 0]],
    ["one more copy than the count says", "1ms-1mx2", [1, -59_999, -119_999]],
    ["steps up", "-1m+10sx1", [-60_000, -50_000]],
    ["a time after the sample", "+1m", [60_000]],
  ] as const) {
    it(rule, () => {
      const [command] = commandsOf(`load 1m\n  x{a="1"}@st ${items}\n  x{a="1"} ${startsMs.map(() => "1").join(" ")}`);
      expect(command.kind === "load" && command.series.map((one) => one.startsMs)).toEqual([startsMs]);
    });
  }

  it("have a position for each sample", () => {
    expect(parseTestScript("load 1m\n  x@st _ -1m\n  x 1 2 3")).toMatchObject({
      ok: false,
      failure: { line: 3, reason: "2 start timestamps for 3 samples" },
    });
  });
});

describe("the labels of a series", () => {
  for (const [rule, line, labels] of [
    ["a name alone", "up 1", "up"],
    ["labels alone", `{a="1"} 1`, `{a="1"}`],
    ["no labels at all", "{} 1", "{}"],
    ["blanks, and a comma at the end", `up{ a = "1" , b="2" , } 1`, `up{a="1", b="2"}`],
    ["quotes of all kinds", `up{a='x"y', b=\`\\\`} 1`, String.raw`up{a="x\"y", b="\\"}`],
    ["names that need quotes", `{"my.metric", "a.b"="1"} 1`, `{"my.metric", "a.b"="1"}`],
    ["escapes", String.raw`up{a="\u00e9\n"} 1`, String.raw`up{a="é\n"}`],
  ] as const) {
    it(rule, () => expect(formatLabels(loaded(line).labels)).toBe(labels));
  }
});

describe("commands", () => {
  it("an instant eval has one time, and the rest of its line is the query", () => {
    expect(evalOf('eval instant at 1m30s sum by (a) (x) > 1\n  {a="1"} 2')).toMatchObject({
      line: 1,
      query: "sum by (a) (x) > 1",
      startMs: 90_000,
      endMs: 90_000,
      stepMs: 0,
      ordered: false,
      result: { kind: "series", series: [{ values: [2] }] },
    });
  });

  it("a range eval has two times and a step", () => {
    expect(evalOf("eval range from 0 to 10m step 30s x")).toMatchObject({
      query: "x",
      startMs: 0,
      endMs: 600_000,
      stepMs: 30_000,
    });
  });

  it("expectations can be scalars, texts and range vectors", () => {
    expect(evalOf("eval instant at 0 1\n  1").result).toEqual({ kind: "scalar", value: 1 });
    expect(evalOf(`eval instant at 0 "a"\n  expect string "a"`).result).toEqual({ kind: "string", value: "a" });
    expect(
      evalOf("eval instant at 1m x[1m]\n  expect range vector from 0 to 1m step 30s\n  x 1 2").result,
    ).toMatchObject({ kind: "range-vector", startMs: 0, stepMs: 30_000, series: [{ values: [1, 2] }] });
  });

  it("expected messages are whole, expected patterns are searched", () => {
    const { annotations } = evalOf(
      "eval instant at 0 x\n  expect warn msg: a b\n  expect no_info\n  expect fail regex: ^a",
    );
    expect(annotations.map(({ level }) => level)).toEqual(["warn", "no_info", "fail"]);
    expect([annotations[0].matches("a b"), annotations[0].matches("a b c")]).toEqual([true, false]);
    expect([annotations[2].matches("abc"), annotations[2].matches("ba")]).toEqual([true, false]);
  });

  it("a comment ends a block, as an empty line does", () => {
    const commands = commandsOf("load 1m\n  x 1\n# a comment\nclear\n\neval instant at 0 x");
    expect(commands.map(({ kind, line }) => [kind, line])).toEqual([
      ["load", 1],
      ["clear", 4],
      ["eval", 6],
    ]);
  });

  for (const [text, line, reason] of [
    ["\nlaod 1m", 2, "not a command: laod 1m"],
    ["load 1q", 1, `not a valid duration string: "1q"`],
    ["load 1m\n  x 1 abc", 2, "not a value: abc"],
    ["load 1m\n  {a=1} 1", 2, "not a label at a=1} 1"],
  ] as const) {
    it(`says where a script is none: ${reason}`, () => {
      expect(parseTestScript(text)).toEqual({ ok: false, failure: { line, reason } });
    });
  }
});
