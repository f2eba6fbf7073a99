import { describe, expect, it } from "vitest";
import { formatBlockMark, parseBlockMark, type BlockMark } from "./block-mark.ts";

const ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));

describe("marks of a block", () => {
  for (const [mark, json] of [
    [
      { kind: "deletion", ulid, timeMs: 1_700_000_000_000, details: "source of compacted block", reason: "" },
      `{"id":"${ulid}","version":1,"details":"source of compacted block","deletion_time":1700000000}`,
    ],
    [
      { kind: "no-compact", ulid, timeMs: 1_700_000_000_000, details: "why", reason: "manual" },
      `{"id":"${ulid}","version":1,"details":"why","no_compact_time":1700000000,"reason":"manual"}`,
    ],
    [
      { kind: "no-downsample", ulid, timeMs: 1_700_000_000_000, details: "", reason: "manual" },
      `{"id":"${ulid}","version":1,"details":"","no_downsample_time":1700000000,"reason":"manual"}`,
    ],
  ] as const satisfies readonly (readonly [BlockMark, string])[]) {
    it(`${mark.kind} is Thanos's JSON, there and back`, () => {
      expect(text(formatBlockMark(mark))).toBe(json);
      expect(parseBlockMark(mark.kind, formatBlockMark(mark), ulid)).toEqual({ ok: true, value: mark });
    });
  }

  const good = { id: ulid, version: 1, deletion_time: 1_700_000_000 };
  for (const [rule, json, reason] of [
    ["another version", { ...good, version: 2 }, "version 2"],
    ["no version", { ...good, version: undefined }, "version"],
    ["another block", { ...good, id: "01ARZ3NDEKTSV4RRFFQ69G5FAW" }, "is of block"],
    ["time 0", { ...good, deletion_time: 0 }, "no time"],
    ["a time that is no number", { ...good, deletion_time: "2023" }, "no time"],
    ["no object", null, "no object"],
  ] as const) {
    it(`${rule} is no mark`, () => {
      const parsed = parseBlockMark("deletion", bytes(json), ulid);
      expect(parsed.ok ? "" : parsed.failure).toContain(reason);
    });
  }

  it("may lack what is for people", () => {
    expect(parseBlockMark("deletion", bytes(good), ulid)).toMatchObject({ ok: true, value: { details: "" } });
    expect(parseBlockMark("deletion", new TextEncoder().encode('{"id":'), ulid).ok).toBe(false);
  });
});
