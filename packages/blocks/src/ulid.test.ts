import { seededRandom } from "@pleiad/ports";
import { expect, it } from "vitest";
import { isUlid, newUlid, ulidTimeMs } from "./ulid.ts";

it.each([
  ["01ARYZ6S41TSV4RRFFQ69G5FAV", 1_469_918_176_385],
  ["00000000000000000000000000", 0],
  ["7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 2 ** 48 - 1],
  ["8ZZZZZZZZZZZZZZZZZZZZZZZZZ", NaN],
  ["01aryz6s41tsv4rrffq69g5fav", NaN],
  ["01ARYZ6S41TSV4RRFFQ69G5FA", NaN],
])("%s was made at %d", (ulid, timeMs) => {
  expect(ulidTimeMs(ulid)).toBe(timeMs);
});

it("a new one tells its time, and sorts by it", () => {
  const random = seededRandom(1);
  const times = [0, 1, 31, 32, 1_700_000_000_000, 1_700_000_000_001, 2 ** 48 - 1];
  const ulids = times.map((timeMs) => newUlid(timeMs, random));
  expect(ulids.every(isUlid)).toBe(true);
  expect(ulids.map(ulidTimeMs)).toEqual(times);
  expect([...ulids].sort()).toEqual(ulids);
  expect(new Set(ulids.map((ulid) => ulid.slice(10))).size).toBe(times.length);
});

it("there is none for a time that it cannot tell", () => {
  for (const timeMs of [-1, 0.5, 2 ** 48, NaN]) expect(() => newUlid(timeMs, seededRandom(1))).toThrow(RangeError);
});
