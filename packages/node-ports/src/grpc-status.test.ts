import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { abortError, decodeGrpcMessage, encodeGrpcMessage, grpcStatusCodes, rpcCodeOf } from "./grpc-status.ts";
import { formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts";

describe("statuses", () => {
  it("have the numbers 1 to 16", () => {
    expect(Object.values(grpcStatusCodes).sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
    for (const [code, status] of Object.entries(grpcStatusCodes)) expect(rpcCodeOf(status)).toBe(code);
    expect(rpcCodeOf(17)).toBe("UNKNOWN");
  });

  it.each([
    [new DOMException("late", "TimeoutError"), "DEADLINE_EXCEEDED"],
    [new DOMException("stop", "AbortError"), "CANCELLED"],
    ["a text", "CANCELLED"],
    [undefined, "CANCELLED"],
  ])("of a signal aborted with %o is %s", (reason, code) => {
    expect(abortError(AbortSignal.abort(reason)).code).toBe(code);
  });
});

describe("messages", () => {
  it.each([
    ["plain text", "plain text"],
    ["100 %", "100 %25"],
    ["a\nb\u007f", "a%0Ab%7F"],
    ["é", "%C3%A9"],
  ])("%j travels as %s", (message, encoded) => {
    expect(encodeGrpcMessage(message)).toBe(encoded);
    expect(decodeGrpcMessage(encoded)).toBe(message);
  });

  it.each(["50%", "%zz", "%4"])("keeps the wrongly encoded %j as it came", (encoded) => {
    expect(decodeGrpcMessage(encoded)).toBe(encoded);
  });

  it("survive the way there and back", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (message) => {
        expect(decodeGrpcMessage(encodeGrpcMessage(message))).toBe(message);
      }),
    );
  });
});

describe("timeouts", () => {
  it.each([
    [5000, "5000m"],
    [0.2, "1m"],
    [99_999_999, "99999999m"],
    [100_000_001, "100001S"],
    [99_999_999_001, "1666667M"],
    [Infinity, undefined],
  ])("%d ms is sent as %s", (spanMs, header) => {
    expect(formatGrpcTimeout(spanMs)).toBe(header);
  });

  it.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3000],
    ["4m", 4],
    ["5000u", 5],
    ["6000000n", 6],
    ["0n", 0],
    ["123456789m", undefined],
    ["5", undefined],
    ["m", undefined],
    ["-1m", undefined],
    ["1.5S", undefined],
  ])("%s is read as %s ms", (header, spanMs) => {
    expect(parseGrpcTimeout(header)).toBe(spanMs);
  });
});
