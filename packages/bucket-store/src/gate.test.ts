import { expect, it } from "vitest";
import { Gate } from "./gate.ts";

it("lets so many in, and the others in the order in which they came", async () => {
  const gate = new Gate(2);
  const entered: string[] = [];
  const leave = new Map<string, () => void>();
  const enter = async (name: string, signal?: AbortSignal) => {
    leave.set(name, await gate.enter(signal));
    entered.push(name);
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const canceled = new AbortController();
  const waiting = [enter("a"), enter("b"), enter("c", canceled.signal), enter("d"), enter("e")];
  await settle();
  expect([entered, gate.inside]).toEqual([["a", "b"], 2]);
  canceled.abort(new Error("not wanted any more"));
  await expect(waiting[2]).rejects.toThrow("not wanted any more");
  leave.get("b")?.();
  leave.get("b")?.(); // counts once
  await settle();
  expect([entered, gate.inside]).toEqual([["a", "b", "d"], 2]);
  leave.get("a")?.();
  leave.get("d")?.();
  await settle();
  leave.get("e")?.();
  expect([entered, gate.inside]).toEqual([["a", "b", "d", "e"], 0]);
});
