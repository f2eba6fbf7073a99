import { describe, expect, it } from "vitest";
import { derInteger, derNamedBits, derObjectId, derOctetString, derTime, derValue } from "./der.ts";

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

describe("values as X.690 has them", () => {
  for (const [rule, bytes, expected] of [
    ["a length below 128 is one byte", derValue(0x30, new Uint8Array(2)), "30020000"],
    ["a number whose first bit is set has a zero before it", derInteger(Uint8Array.of(0x80)), "02020080"],
    ["a number has no zeros before it that it does not need", derInteger(Uint8Array.of(0, 0, 5)), "020105"],
    ["zero is one byte", derInteger(new Uint8Array(3)), "020100"],
    ["the first two parts of an id are one number", derObjectId("2.5.29.17"), "0603551d11"],
    ["later parts have seven bits a byte", derObjectId("1.2.840.10045.4.3.2"), "06082a8648ce3d040302"],
    ["named bits end with the last that is set", derNamedBits([5, 6]), "03020106"],
    ["a ninth bit takes a second byte", derNamedBits([0, 8]), "0303078080"],
    ["a year before 2050 has two digits", derTime(Date.UTC(2026, 0, 2, 3, 4, 5)), "170d3236303130323033303430355a"],
    ["a later one has four", derTime(Date.UTC(2051, 0, 2, 3, 4, 5)), "180f32303531303130323033303430355a"],
  ] as const) {
    it(rule, () => expect(hex(bytes)).toBe(expected));
  }
  it("a length from 128 on says how many bytes it has", () => {
    expect(hex(derOctetString(new Uint8Array(200))).slice(0, 6)).toBe("0481c8");
    expect(hex(derOctetString(new Uint8Array(300))).slice(0, 8)).toBe("0482012c");
  });
});
