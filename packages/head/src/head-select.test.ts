import {
  collectSeries,
  compareLabels,
  formatLabels,
  labelsFromRecord,
  labelsKey,
  plainSelect,
  withoutLabels,
} from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { appendAll, named, openTestHead, startMs } from "./head.fixtures.ts";
import type { Head } from "./head.ts";

/** Each series as a line: its labels, then where its chunks start, behind `startMs`. */
async function select(head: Head, withoutLabels: readonly string[]): Promise<string[]> {
  const { series } = await collectSeries(head.select({ ...plainSelect, withoutLabels }, new AbortController().signal));
  return series.map(
    ({ labels, chunks }) => `${formatLabels(labels)} ${chunks.map(({ minTimeMs }) => minTimeMs - startMs).join(" ")}`,
  );
}

describe("select without labels", () => {
  it("makes series one that differ in nothing else, also across a batch, their chunks by time", async () => {
    const head = await openTestHead();
    const pods = Array.from({ length: 300 }, (_, i) => `pod-${String(i).padStart(3, "0")}`);
    // The later replica comes first, and every series has three parts, so that no batch of a power of two fits them.
    await appendAll(
      head,
      pods.flatMap((pod) =>
        [2, 1, 0].map((replica) => [named("up", { pod, replica: String(2 - replica) }), startMs + replica, 1] as const),
      ),
    );
    expect(await select(head, ["replica"])).toEqual(pods.map((pod) => `up{pod="${pod}"} 0 1 2`));
    expect(await select(head, ["pod", "replica"])).toHaveLength(1);
    expect(await select(head, [])).toHaveLength(900);
  });

  it("sorts by the labels that are left", async () => {
    const head = await openTestHead();
    const labels = [{ b: "1", z: "2" }, { b: "2", z: "1" }, { z: "0" }, { a: "1", b: "9", z: "3" }, { b: "1" }];
    await appendAll(
      head,
      labels.map((one) => [named("m", one), startMs, 1] as const),
    );
    expect(await select(head, ["b"])).toEqual(["m 0", 'm{a="1", z="3"} 0', 'm{z="0"} 0', 'm{z="1"} 0', 'm{z="2"} 0']);
  });

  it("takes an external label away that sorts between those of the series", async () => {
    const head = await openTestHead(undefined, { externalLabels: labelsFromRecord({ replica: "0", region: "a1" }) });
    await appendAll(head, [
      [named("m"), startMs, 1],
      [named("m", { remote: "x" }), startMs, 1],
      [named("m", { service: "x" }), startMs, 1],
    ]);
    expect(await select(head, ["replica"])).toEqual([
      'm{region="a1"} 0',
      'm{region="a1", remote="x"} 0',
      'm{region="a1", service="x"} 0',
    ]);
  });

  it.each(Array.from({ length: 40 }, (_, seed) => seed))("gives each row once, in order: seed %i", async (seed) => {
    const random = seededRandom(seed);
    const some = (names: readonly string[], share: number) => names.filter(() => random.float() < share);
    const valued = (names: readonly string[]) =>
      Object.fromEntries(names.map((name) => [name, String(Math.floor(random.float() * 3))]));
    const externalLabels = labelsFromRecord(valued(some(["cluster", "region", "replica"], 0.8)));
    const head = await openTestHead(undefined, { externalLabels });
    // Before, between, behind and of the external ones.
    const names = some(["a", "job", "mode", "rack", "remote", "service", "zone", "replica", "region"], 0.5);
    const made = Array.from({ length: 60 }, () => named("m", valued(some(names, 0.7))));
    await appendAll(
      head,
      [...new Map(made.map((one) => [labelsKey(one), one])).values()].map((one) => [one, startMs, 1] as const),
    );
    const gone = some(["replica", "region", "job", "nowhere"], 0.5);
    const { signal } = new AbortController();
    const rowsOf = async (without: readonly string[]) =>
      (await collectSeries(head.select({ ...plainSelect, withoutLabels: without }, signal))).series;
    const left = (await rowsOf([])).map(({ labels }) => withoutLabels(labels, new Set(gone))).sort(compareLabels);
    const expected = [...new Set(left.map(formatLabels))];
    expect((await rowsOf(gone)).map(({ labels }) => formatLabels(labels))).toEqual(expected);
  });
});
