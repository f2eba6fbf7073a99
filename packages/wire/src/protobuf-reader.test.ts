import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeInfoResponse } from "./info-messages.ts";
import { decodeLabelTexts, decodeLabelValuesRequest } from "./label-queries.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { decodeSeriesRequest, encodeSeriesRequest, emptySeriesRequest } from "./series-request.ts";
import { createSeriesFrameReader } from "./series-response.ts";
import { formatWireFailure } from "./wire-failure.ts";

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

describe("int64 on the wire", () => {
  for (const [rule, value, hex] of [
    ["zero is left out", 0, ""],
    ["one byte up to 127", 127, "087f"],
    ["seven bits a byte, low ones first", 300, "08ac02"],
    ["milliseconds of this century take six bytes", 1_700_000_000_000, "0880d095ffbc31"],
    ["minus one is ten bytes", -1, "08ffffffffffffffffff01"],
    ["the last exact number", Number.MAX_SAFE_INTEGER - 1, "08feffffffffffff0f"],
    ["the bound stands for the largest int64", Number.MAX_SAFE_INTEGER, "08ffffffffffffffff7f"],
    ["the lower bound stands for the smallest int64", -Number.MAX_SAFE_INTEGER, "0880808080808080808001"],
  ] as const) {
    it(rule, () => {
      const writer = new ProtobufWriter();
      writer.int64(1, value);
      expect(writer.view()).toEqual(bytes(hex));
      const reader = new ProtobufReader(writer.view());
      expect(reader.nextField() ? reader.int64() : 0).toBe(value);
    });
  }

  for (const [rule, hex, value] of [
    ["2^60 is clamped", "08808080808080808010", Number.MAX_SAFE_INTEGER],
    ["-2^60 is clamped", "088080808080808080f001", -Number.MAX_SAFE_INTEGER],
    ["-2^53 is clamped", "0880808080808080f0ff01", -Number.MAX_SAFE_INTEGER],
  ] as const) {
    it(`read: ${rule}`, () => {
      const reader = new ProtobufReader(bytes(hex));
      expect(reader.nextField() ? reader.int64() : 0).toBe(value);
      expect(reader.failure).toBeUndefined();
    });
  }
});

describe("what is not a message", () => {
  for (const [rule, hex, failure] of [
    ["a field longer than the message", "0a05616263", "message ends inside a field at byte 2"],
    ["a length of 2^32, which must not wrap to 0", "0a808080801000", "message ends inside a field at byte 6"],
    ["a number cut short", "28ff", "message ends inside a number at byte 2"],
    ["a number without end", "28ffffffffffffffffffffff", "varint longer than 10 bytes at byte 11"],
    ["field 0", "0001", "field number 0 at byte 1"],
    ["a wire type that does not exist", "7f", "wire type 7 at byte 1"],
    ["a known field of another wire type", "0d00000000", "field 1 has wire type 5 instead of 2 at byte 1"],
    ["text that is not UTF-8", "0a01ff", "text is not UTF-8 at byte 3"],
    ["a group that never ends", "7b0801", "group without end at byte 3"],
    ["groups too deep", "7b".repeat(40), "groups nested more than 32 deep at byte 33"],
    ["fixed 32 bits cut short", "7d0000", "message ends inside a field at byte 1"],
  ] as const) {
    it(rule, () => {
      const decoded = decodeLabelTexts(bytes(hex));
      expect(decoded.ok ? "read" : formatWireFailure(decoded.failure)).toBe(failure);
    });
  }

  it("fields that are unknown are passed over: all wire types, groups in groups", () => {
    const unknown = ["7801", "790000000000000000", "7a0161", "7b7b08017c7c", "7d00000000"].join("");
    expect(decodeLabelTexts(bytes(`${unknown}0a0161${unknown}`))).toEqual({
      ok: true,
      value: { texts: ["a"], warnings: [], hints: undefined },
    });
  });

  it("a matcher type from the future fails rather than widen the question", () => {
    const decoded = decodeSeriesRequest(bytes("1a020863"));
    expect(decoded.ok ? "read" : formatWireFailure(decoded.failure)).toBe("matcher type 99 at byte 4");
  });

  it("aggregates and strategies from the future are ignored", () => {
    expect(decodeSeriesRequest(bytes("2a0201633809"))).toEqual({
      ok: true,
      value: { ...emptySeriesRequest, aggregates: ["count"] },
    });
  });
});

describe("random bytes", () => {
  const decoders = {
    seriesRequest: decodeSeriesRequest,
    labelValuesRequest: decodeLabelValuesRequest,
    labelTexts: decodeLabelTexts,
    info: decodeInfoResponse,
    series: (input: Uint8Array) => createSeriesFrameReader().read(input, { series: [], warnings: [], hints: [] }),
  };
  // Bytes as such fail at once; with many small numbers among them they get deeper.
  const noise = fc.array(fc.oneof(fc.nat(255), fc.constantFrom(0x0a, 0x12, 0x1a, 0x22, 0x08, 0x10, 0x02, 0x04, 0x06)), {
    maxLength: 80,
  });

  it("never throw, whatever the message", () => {
    fc.assert(
      fc.property(noise, (values) => {
        for (const decode of Object.values(decoders)) expect(() => decode(Uint8Array.from(values))).not.toThrow();
      }),
      { numRuns: 3000 },
    );
  });

  it("a good message with one byte changed or cut never throws, and fails inside itself", () => {
    const good = encodeSeriesRequest({
      ...emptySeriesRequest,
      minTimeMs: -5,
      matchers: [{ type: "=~", name: "cluster", value: "cluster-0.*" }],
      queryHints: {
        stepMs: 15_000,
        function: "rate",
        grouping: { by: true, labels: ["region"] },
        rangeMs: 300_000,
        projectionLabels: [],
        projectionInclude: false,
      },
      withoutReplicaLabels: ["replica"],
    });
    for (let at = 0; at < good.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const changed = good.slice();
        changed[at] = value;
        for (const input of [changed, changed.subarray(0, at + 1)]) {
          const decoded = decodeSeriesRequest(input);
          expect(decoded.ok || decoded.failure.offset <= input.length).toBe(true);
        }
      }
    }
  });
});
