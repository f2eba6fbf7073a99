import { expect, it } from "vitest";
import { joinBytes } from "./byte-parts.ts";

const bytes = (...values: readonly number[]) => Uint8Array.from(values);

it.each([
  ["none", [], []],
  ["one", [bytes(1, 2)], [1, 2]],
  ["several, in their order", [bytes(1, 2), bytes(), bytes(3)], [1, 2, 3]],
  ["views into the middle of others", [bytes(0, 1, 0).subarray(1, 2), bytes(2, 0).subarray(0, 1)], [1, 2]],
])("joins %s", (_, parts, whole) => expect([...joinBytes(parts)]).toEqual(whole));

it("gives an array of its own, whatever kind the parts are of", () => {
  const part = new (class extends Uint8Array {})(2);
  const whole = joinBytes([part]);
  expect(Object.getPrototypeOf(whole)).toBe(Uint8Array.prototype);
  expect(whole.buffer).not.toBe(part.buffer);
});
