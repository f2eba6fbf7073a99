import { BucketError, seededRandom } from "@pleiad/ports";
import { runBucketAcceptance } from "@pleiad/ports/acceptance";
import { manualClock, memoryFiles } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { withFaults, type BucketFault, type BucketFaultPlan, type BucketOperation } from "./faulty-bucket.ts";
import { createFileBucket } from "./file-bucket.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function openFaulty(plan: BucketFaultPlan, seed = 1) {
  const clock = manualClock();
  const impatient = { ...clock, sleep: () => new Promise<void>((resolve) => setImmediate(resolve)) };
  const whole = createFileBucket("/bucket", memoryFiles(), impatient);
  return { whole, clock, bucket: withFaults(whole, plan, seededRandom(seed), clock) };
}

const always = (fault: BucketFault, ...operations: BucketOperation[]): BucketFaultPlan => ({
  rules: [{ operations, probability: 1, fault }],
});

runBucketAcceptance("with a plan without faults", async () => ({
  bucket: openFaulty({ rules: [] }).bucket,
  close: async () => {},
}));

describe("faulty bucket", () => {
  it("fails an operation without doing it", async () => {
    const { whole, bucket } = openFaulty(always({ kind: "error", error: "throttled" }, "put"));
    await expect(bucket.put("a", bytes("x"))).rejects.toMatchObject({ kind: "throttled", key: "a" });
    await expect(whole.get("a")).rejects.toMatchObject({ kind: "not-found" });
  });

  it("does a put, and tells the caller that it may not have", async () => {
    const { whole, bucket } = openFaulty(always({ kind: "applied-then-timeout" }, "put"));
    const error = await bucket.put("a", bytes("x")).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(BucketError);
    expect(error).toMatchObject({ kind: "timeout", ambiguous: true });
    expect(await whole.get("a")).toEqual(bytes("x"));
  });

  it("cuts what a get brings", async () => {
    const { bucket } = openFaulty(always({ kind: "truncated-get" }, "get"));
    await bucket.put("a", bytes("0123456789"));
    expect((await bucket.get("a")).length).toBeLessThan(10);
  });

  it("breaks a listing off", async () => {
    const { bucket } = openFaulty(always({ kind: "error", error: "unavailable" }, "list"));
    const expected = Array.from({ length: 30 }, (_, i) => `k${String(i).padStart(2, "0")}`);
    for (const key of expected) await bucket.put(key, bytes("x"));
    const seen: string[] = [];
    const listing = (async () => {
      for await (const key of bucket.list("")) seen.push(key);
    })();
    await expect(listing).rejects.toMatchObject({ kind: "unavailable" });
    expect(seen).toEqual(expected.slice(0, seen.length));
    expect(seen.length).toBeLessThan(20);
  });

  it("waits", async () => {
    const { bucket, clock } = openFaulty(always({ kind: "latency", minMs: 200, maxMs: 400 }, "attributes"));
    await bucket.put("a", bytes("x"));
    const startMs = clock.monotonicMs();
    const attributes = bucket.attributes("a").then(() => clock.monotonicMs() - startMs);
    await clock.advance(199);
    await clock.advance(201);
    expect(await attributes).toBeGreaterThanOrEqual(200);
  });

  it("strikes only the operations, keys and share that the plan names, and the same ones under the same seed", async () => {
    const plan: BucketFaultPlan = {
      rules: [
        { operations: ["get"], keyPrefix: "a/", probability: 0.3, fault: { kind: "error", error: "unavailable" } },
      ],
    };
    const outcomes = async (seed: number) => {
      const { bucket } = openFaulty(plan, seed);
      await bucket.put("a/x", bytes("x"));
      await bucket.put("b/x", bytes("x"));
      let line = "";
      for (let i = 0; i < 60; i++) {
        await bucket.get("b/x");
        line += await bucket.get("a/x").then(
          () => ".",
          () => "x",
        );
      }
      return line;
    };
    const line = await outcomes(7);
    expect(line).toContain("x");
    expect(line).toContain(".");
    expect(await outcomes(7)).toBe(line);
    expect(await outcomes(8)).not.toBe(line);
  });

  it("follows a new plan from the next operation on", async () => {
    const { bucket } = openFaulty(always({ kind: "error", error: "access-denied" }, "put"));
    await expect(bucket.put("a", bytes("x"))).rejects.toMatchObject({ kind: "access-denied" });
    bucket.setPlan({ rules: [] });
    await bucket.put("a", bytes("x"));
  });
});
