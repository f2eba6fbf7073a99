import { manualClock, wholeBody } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { bodyOf } from "./response-body.ts";
import { sampleTextWriter } from "./sample-text.ts";

const pieces = (count: number) => Array.from({ length: count }, (_, i) => `${"[1435781451.781,1]".repeat(500)}${i}\n`);

describe("response bodies", () => {
  for (const [rule, count, form] of [
    ["nothing is an empty string", 0, "string"],
    ["a short one is a string, which has a length", 3, "string"],
    ["a long one is streamed", 60, "object"],
  ] as const) {
    it(rule, async () => {
      const body = bodyOf(pieces(count), manualClock());
      expect(typeof body).toBe(form);
      expect(new TextDecoder().decode(await wholeBody(body))).toBe(pieces(count).join(""));
    });
  }

  it("joins text and bytes in their order", async () => {
    for (const count of [3, 60]) {
      const mixed = pieces(count).map((piece, i) => (i % 3 === 1 ? new TextEncoder().encode(piece) : piece));
      const body = bodyOf(mixed, manualClock());
      expect(new TextDecoder().decode(await wholeBody(body))).toBe(pieces(count).join(""));
    }
  });

  it("streams chunks of about 64 KiB", async () => {
    const body = bodyOf(pieces(60), manualClock());
    if (typeof body === "string" || body instanceof Uint8Array) throw new Error("a stream was expected");
    const lengths: number[] = [];
    for await (const chunk of body) lengths.push(chunk.length);
    for (const length of lengths.slice(0, -1)) expect(length).toBeGreaterThanOrEqual(65_536);
    expect(Math.max(...lengths)).toBeLessThan(80_000);
  });

  it("uses the memory of a part again once it was given back", async () => {
    const lines = Array.from({ length: 40_000 }, (_, i) => `${i} `.repeat(10));
    function* written() {
      const writer = sampleTextWriter();
      for (const line of lines) {
        writer.text(line);
        if (writer.isFull) yield* writer.take();
      }
      yield* writer.take();
    }
    const body = bodyOf(written(), manualClock());
    if (typeof body === "string" || body instanceof Uint8Array) throw new Error("a stream was expected");
    const parts: AsyncIterator<Uint8Array, unknown, Uint8Array | undefined> = body[Symbol.asyncIterator]();
    const memories = new Set<unknown>();
    let text = "";
    for (let next = await parts.next(); next.done !== true; next = await parts.next(next.value)) {
      text += new TextDecoder().decode(next.value);
      memories.add(next.value.buffer);
      next.value.fill(0);
    }
    expect(text === lines.join("")).toBe(true);
    expect(memories.size).toBeLessThanOrEqual(3);
  });
});
