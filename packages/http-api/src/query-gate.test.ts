import { describe, expect, it } from "vitest";
import { createQueryGate } from "./query-gate.ts";

const open = () => new AbortController().signal;

describe("the query gate", () => {
  it("lets so many in, the rest in the order of arrival, and refuses beyond the queue", async () => {
    const gate = createQueryGate({ concurrentMax: 1, waitingMax: 2 });
    const order: string[] = [];
    const first = await gate.enter(open());
    const second = gate.enter(open()).then((entered) => (order.push("second"), entered));
    const third = gate.enter(open()).then((entered) => (order.push("third"), entered));
    expect(await gate.enter(open())).toEqual({ ok: false, failure: { kind: "full", waitingMax: 2 } });
    if (first.ok) first.value();
    const entered = await second;
    expect([order, gate.running()]).toEqual([["second"], 1]);
    if (entered.ok) entered.value();
    const last = await third;
    if (last.ok) last.value();
    expect([order, gate.running()]).toEqual([["second", "third"], 0]);
  });

  it("forgets who goes away while waiting", async () => {
    const gate = createQueryGate({ concurrentMax: 1, waitingMax: 1 });
    const first = await gate.enter(open());
    const client = new AbortController();
    const waiting = gate.enter(client.signal);
    client.abort();
    expect(await waiting).toEqual({ ok: false, failure: { kind: "canceled" } });
    if (first.ok) first.value();
    expect(gate.running()).toBe(0);
    expect((await gate.enter(open())).ok).toBe(true);
  });
});
