import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createMetadataStore, defaultMetadataStore, type MetadataStoreOptions } from "./metadata-store.ts";

function open(changes: Partial<MetadataStoreOptions> = {}) {
  const { clock } = testPorts();
  const store = createMetadataStore(clock, { ...defaultMetadataStore, ...changes });
  /** A page with these help texts by metric. */
  const say = (helps: Readonly<Record<string, string>>) => {
    const page = store.begin();
    for (const [metric, help] of Object.entries(helps)) page.metadata("help", metric, help);
    return page;
  };
  const list = () => store.list().map(({ metric, metas }) => `${metric}: ${metas.map(({ help }) => help).join(" | ")}`);
  return { clock, store, say, list };
}

describe("metadata of a pool's targets", () => {
  it("is that of all pages, each saying once", () => {
    const { say, list } = open();
    say({ b: "1", a: "1" }).commit();
    say({ b: "2" }).commit();
    say({ b: "1" }).commit();
    expect(list()).toEqual(["a: 1", "b: 1 | 2"]);
  });

  it("has a type, a help and a unit together", () => {
    const { store } = open();
    const page = store.begin();
    page.metadata("type", "a_seconds", "gauge");
    page.metadata("unit", "a_seconds", "seconds");
    page.metadata("type", "b", "counter");
    page.commit();
    expect(store.list()).toEqual([
      { metric: "a_seconds", metas: [{ type: "gauge", help: "", unit: "seconds" }] },
      { metric: "b", metas: [{ type: "counter", help: "", unit: "" }] },
    ]);
  });

  it("counts only once its page is in order", () => {
    const { say, list } = open();
    const page = say({ a: "1" });
    expect(list()).toEqual([]);
    page.commit();
    expect(list()).toEqual(["a: 1"]);
  });

  it("is forgotten where no page says it any more", async () => {
    const { clock, say, list } = open();
    say({ a: "1", b: "1" }).commit();
    await clock.advance(6 * 60_000);
    say({ a: "1", b: "2" }).commit();
    expect(list()).toEqual(["a: 1", "b: 1 | 2"]);
    await clock.advance(6 * 60_000);
    expect(list()).toEqual(["a: 1", "b: 2"]);
    await clock.advance(12 * 60_000);
    expect(list()).toEqual([]);
  });

  it("is bounded: by metrics, by sayings of one, and by the length of a text", async () => {
    const { clock, say, list } = open({ metricsMax: 2, textLengthMax: 3 });
    say({ a: "12345", b: "1", c: "1" }).commit();
    say({ d: "1" }).commit();
    expect(list()).toEqual(["a: 123…", "b: 1"]);
    for (let i = 0; i < 100; i++) say({ b: String(i) }).commit();
    expect(list()[1]?.split(" | ")).toHaveLength(16);
    await clock.advance(12 * 60_000);
    say({ d: "1" }).commit();
    expect(list()).toEqual(["d: 1"]);
  });
});
