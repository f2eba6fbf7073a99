import {
  collectSeries,
  cursorOf,
  emptyLabels,
  ok,
  plainSelect,
  type LabelsAnswer,
  type LabelsRequest,
  type Matcher,
  type SeriesSource,
} from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { FolderSource } from "./folder-source.ts";
import { LocalBlocks } from "./local-blocks.ts";
import { ReaderSet } from "./reader-set.ts";
import { defaultTsdbView, viewTsdb } from "./tsdb-view.ts";
import { appendAt, at, chunkLines, hourMs, laterPorts, named, openTestTsdb } from "./tsdb.fixtures.ts";

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

describe("of two blocks with one series each", () => {
  const series = ["a", "b"].map((cluster) => named("up", { cluster }));
  const asking = (cluster: string): readonly Matcher[] => [{ type: "=", name: "cluster", value: cluster }];

  /** A view of the folder, in which the chunk of the first series is damaged. */
  async function damagedView() {
    const ports = laterPorts();
    const tsdb = await openTestTsdb(ports);
    for (const [i, labels] of series.entries()) await appendAt(tsdb.head, at(2 * i), new Map([[labels, i]]));
    await appendAt(tsdb.head, at(6), new Map([[named("later"), 1]]));
    expect((await tsdb.maintain(0)).ok).toBe(true);
    const [first] = tsdb.blocks();
    await tsdb.close();
    const chunks = ports.files.contents.get(`/data/${first?.ulid ?? ""}/chunks/000001`);
    if (chunks === undefined) throw new Error("there is no block");
    chunks[12] = (chunks[12] ?? 0) ^ 1;
    const view = await viewTsdb("/data", defaultTsdbView, ports);
    if (!view.ok) throw new Error(view.failure.kind);
    expect(view.value.blocks()).toHaveLength(2);
    return view.value;
  }

  it("the one is not asked that has no such value", async () => {
    expect(await chunkLines(await damagedView(), { matchers: asking("b") })).toEqual(['up{cluster="b"} 2..2']);
  });

  it("that one is passed over however often the question is asked, and at whatever times", async () => {
    const view = await damagedView();
    const matchers = asking("b");
    for (let i = 0; i < 120; i++) {
      expect(await chunkLines(view, { matchers })).toEqual(['up{cluster="b"} 2..2']);
      expect(await chunkLines(view, { matchers, maxTimeMs: at(1) })).toEqual([]);
    }
  });

  it("the one is asked that has it", async () => {
    const lines = await chunkLines(await damagedView(), { matchers: asking("a") });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("checksum");
  });

  it("a value that none has gives nothing", async () => {
    expect(await chunkLines(await damagedView(), { matchers: asking("c") })).toEqual([]);
  });

  it("one tells that a question is wrong, though none has what it names", async () => {
    const wrong: Matcher = { type: "=~", name: "pod", value: "x(" };
    const blocksOnly = { maxTimeMs: at(4) - hourMs, matchers: [...asking("c"), wrong] };
    const cursor = (await damagedView()).select({ ...plainSelect, ...blocksOnly }, signal);
    expect((await collectSeries(cursor)).failure?.kind).toBe("invalid");
  });

  it.each<[string, Partial<LabelsRequest>, readonly string[]]>([
    ["all of time", {}, ["a", "b"]],
    ["the time of the first", { maxTimeMs: at(1) }, ["a"]],
    ["the time of the second", { minTimeMs: at(2), maxTimeMs: at(3) }, ["b"]],
    ["one of them alone", { limit: 1 }, ["a"]],
    ["those of a matcher", { matchers: [{ type: "=", name: "cluster", value: "b" }] }, ["b"]],
    ["without the label", { withoutLabels: ["cluster"] }, []],
  ])(
    "values of a label, %s, are the same however often and after whatever they are asked",
    async (_, asked, values) => {
      const view = await damagedView();
      for (const before of [{}, asked, { maxTimeMs: at(1) }, asked, asked]) {
        await view.labelValues("cluster", { ...request, ...before }, signal);
        const answer = await view.labelValues("cluster", { ...request, ...asked }, signal);
        expect(answer).toEqual(ok({ values, warnings: [] }));
      }
    },
  );
});
