import { cursorOf, emptyLabels, ok, plainSelect, type LabelsAnswer, type SeriesSource } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { FolderSource } from "./folder-source.ts";
import { LocalBlocks } from "./local-blocks.ts";
import { ReaderSet } from "./reader-set.ts";

const { signal } = new AbortController();
const request = { ...plainSelect, limit: 0 };

describe("a question for labels", () => {
  for (const question of ["labelNames", "labelValues"] as const) {
    it(`fails if data moved on before ${question} were there: some may be missing`, async () => {
      const ports = testPorts();
      const answer = Promise.withResolvers<LabelsAnswer>();
      const head: SeriesSource = {
        select: () => cursorOf([]),
        labelNames: async () => ok(await answer.promise),
        labelValues: async () => ok(await answer.promise),
      };
      const blocks = new LocalBlocks(
        "/data",
        { externalLabels: emptyLabels, intern: (text) => text, cacheBytesMax: 0 },
        ports,
      );
      const readers = new ReaderSet(ports.clock);
      const source = new FolderSource("/data", blocks, head, readers, () => -Infinity);
      const asked =
        question === "labelNames" ? source.labelNames(request, signal) : source.labelValues("pod", request, signal);
      await readers.drain(0);
      answer.resolve({ values: ["x"], warnings: [] });
      expect(await asked).toEqual({
        ok: false,
        failure: { kind: "unavailable", source: "/data", reason: "read too slowly: the data has moved on" },
      });
    });
  }
});
