import { isUlid, ulidTimeMs } from "@pleiad/blocks";
import { expect, it } from "vitest";
import { derivedUlid } from "./derived-ulid.ts";

const older = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const younger = "01BX5ZZKBKACTAV9WEVGEMMVRY";

it("a derived name is a ULID with the time of the youngest input", () => {
  const ulid = derivedUlid("compact", [younger, older], 0);
  expect(isUlid(ulid)).toBe(true);
  expect(ulidTimeMs(ulid)).toBe(ulidTimeMs(younger));
});

it("it is the same for the same inputs in any order, and another for anything else", () => {
  const ulid = derivedUlid("compact", [older, younger], 0);
  expect(derivedUlid("compact", [younger, older], 0)).toBe(ulid);
  const others = [
    derivedUlid("compact", [younger], 0),
    derivedUlid("compact", [older, younger, younger], 0),
    derivedUlid("downsample 300000", [older, younger], 0),
    derivedUlid("compact", [older, younger], 1),
  ];
  expect(new Set([...others, ulid]).size).toBe(5);
});

it("it never changes: blocks half-way in a bucket are found again", () => {
  expect(derivedUlid("compact", [older, younger], 0)).toMatchInlineSnapshot(`"01BX5ZZKBKPB7Q3GCD846264R5"`);
});
