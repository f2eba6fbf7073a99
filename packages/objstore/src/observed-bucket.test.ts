import { seededRandom, type Bucket, type Observations } from "@pleiad/ports";
import { runBucketAcceptance } from "@pleiad/ports/acceptance";
import { manualClock, memoryFiles, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { withFaults } from "./faulty-bucket.ts";
import { createFileBucket } from "./file-bucket.ts";
import { withMetrics } from "./observed-bucket.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function keysOf(bucket: Bucket, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of bucket.list(prefix)) keys.push(key);
  return keys;
}
const impatient = { ...manualClock(), sleep: () => new Promise<void>((resolve) => setImmediate(resolve)) };

/** Observations that add up by metric and labels. */
function recordedObservations() {
  const sums = new Map<string, number>();
  const add = (name: string) => ({
    add: (amount: number, ...labels: readonly string[]) => {
      const key = `${name} ${labels.join(" ")}`;
      sums.set(key, (sums.get(key) ?? 0) + amount);
    },
  });
  const observations: Observations = {
    ...silentObservations(),
    counter: add,
    gauge: (name) => ({ set: (value, ...labels) => void sums.set(`${name} ${labels.join(" ")}`, value) }),
    histogram: (name) => ({ observe: (_value, ...labels) => add(name).add(1, ...labels) }),
  };
  return { sums, observations };
}

runBucketAcceptance("with metrics", async () => ({
  bucket: withMetrics(createFileBucket("/bucket", memoryFiles(), impatient), silentObservations(), impatient),
  close: async () => {},
}));

describe("observed bucket", () => {
  it("counts attempts, failures that nobody expects, and the time of what succeeded", async () => {
    const { sums, observations } = recordedObservations();
    const faulty = withFaults(
      createFileBucket("/bucket", memoryFiles(), impatient),
      { rules: [{ keyPrefix: "bad", probability: 1, fault: { kind: "error", error: "unavailable" } }] },
      seededRandom(1),
      impatient,
    );
    const bucket = withMetrics(faulty, observations, impatient);
    await bucket.put("a", bytes("x"));
    await bucket.get("a");
    await bucket.get("a", { offset: 0, length: 1 });
    await expect(bucket.get("none")).rejects.toThrow("not-found");
    await expect(bucket.get("bad")).rejects.toThrow("unavailable");
    await expect(bucket.put("a", bytes("y"), { ifAbsent: true })).rejects.toThrow("precondition");
    expect(await keysOf(bucket, "")).toEqual(["a"]);
    await bucket.delete("a");

    const of = (metric: string) =>
      ["upload", "get", "get_range", "attributes", "iter", "delete"].map(
        (operation) => sums.get(`thanos_objstore_bucket_${metric} file:/bucket ${operation}`) ?? 0,
      );
    expect(of("operations_total")).toEqual([2, 3, 1, 0, 1, 1]);
    expect(of("operation_failures_total")).toEqual([0, 1, 0, 0, 0, 0]);
    expect(of("operation_duration_seconds")).toEqual([1, 1, 1, 0, 1, 1]);
    expect(of("operation_fetched_bytes_total")).toEqual([0, 1, 1, 0, 0, 0]);
    expect(sums.get("thanos_objstore_bucket_last_successful_upload_time file:/bucket")).toBe(impatient.wallMs() / 1000);
  });
});
