import { fail, ok } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { parseDurationText, parseLimit, parseSwitch, parseTimestamp, timeMaxMs, timeMinMs } from "./parameter-text.ts";

describe("times", () => {
  for (const [rule, text, timestampMs] of [
    ["float seconds", "1500", 1_500_000],
    ["are rounded to milliseconds", "1435781451.7814", 1_435_781_451_781],
    ["half a millisecond goes away from zero", "0.0005", 1],
    ["and so before 1970", "-0.0005", -1],
    ["with an exponent", "1.5e3", 1_500_000],
    ["RFC 3339 in UTC", "2015-07-01T20:10:51.781Z", 1_435_781_451_781],
    ["with an offset", "2015-07-01T22:10:51+02:00", 1_435_781_451_000],
    ["nanoseconds are cut", "2015-07-01T20:10:51.781999999Z", 1_435_781_451_781],
    ["a leap day", "2024-02-29T00:00:00Z", 1_709_164_800_000],
    ["the year 1", "0001-01-01T00:00:00Z", -62_135_596_800_000],
    ["Prometheus's first time is no bound", "-292273086-05-16T16:47:06Z", timeMinMs],
    ["and its last", "+292277025-08-18T07:12:54.999999999Z", timeMaxMs],
  ] as const) {
    it(`${rule}: ${text}`, () => expect(parseTimestamp(text)).toEqual(ok(timestampMs)));
  }

  for (const text of [
    "",
    "now",
    "NaN",
    "Inf",
    "1e400",
    "1e15",
    "0x",
    "2015-02-29T00:00:00Z",
    "2015-07-01T24:00:00Z",
    "2015-07-01 20:10:51Z",
    "2015-07-01T20:10:51",
    " 1",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      expect(parseTimestamp(text)).toEqual(fail(`cannot parse ${JSON.stringify(text)} to a valid timestamp`)));
  }
});

describe("durations", () => {
  for (const [text, durationMs] of [
    ["15", 15_000],
    ["0.5", 500],
    ["1e-9", 1e-6],
    ["-1", -1_000],
    ["0", 0],
    ["1h30m", 5_400_000],
    ["500ms", 500],
  ] as const) {
    it(text, () => expect(parseDurationText(text)).toEqual(ok(durationMs)));
  }

  for (const [text, reason] of [
    ["", `cannot parse "" to a valid duration`],
    ["foo", `cannot parse "foo" to a valid duration`],
    ["NaN", `cannot parse "NaN" to a valid duration`],
    ["Inf", `cannot parse "Inf" to a valid duration. It overflows int64`],
    ["1e10", `cannot parse "1e10" to a valid duration. It overflows int64`],
    ["5m1h", `cannot parse "5m1h" to a valid duration`],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(parseDurationText(text)).toEqual(fail(reason)));
  }
});

describe("limits and switches", () => {
  for (const [text, result] of [
    ["", ok(0)],
    ["0", ok(0)],
    ["+5", ok(5)],
    ["40000", ok(40_000)],
    ["-1", fail("limit must be non-negative")],
    ["abc", fail(`strconv.Atoi: parsing "abc": invalid syntax`)],
    ["1e9", fail(`strconv.Atoi: parsing "1e9": invalid syntax`)],
    ["99999999999999999999", fail(`strconv.Atoi: parsing "99999999999999999999": value out of range`)],
  ] as const) {
    it(`limit ${JSON.stringify(text)}`, () => expect(parseLimit(text)).toEqual(result));
  }

  for (const [text, result] of [
    ["", ok(true)],
    ["false", ok(false)],
    ["0", ok(false)],
    ["T", ok(true)],
    ["yes", fail(`strconv.ParseBool: parsing "yes": invalid syntax`)],
  ] as const) {
    it(`switch ${JSON.stringify(text)}, true when absent`, () => expect(parseSwitch(text, true)).toEqual(result));
  }
});
