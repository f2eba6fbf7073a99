import { collectSeries, formatLabels, labelsFromRecord, plainSelect } from "@pleiad/model";
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
});
