import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createAnswerRoom, type HeldBytes } from "./answer-room.ts";

const never = new AbortController().signal;

describe("the room for answers", () => {
  it("takes up to its bound, from all together, and gives back what nobody holds", () => {
    const room = createAnswerRoom({ bytesMax: 100 });
    const [a, b] = [room.open(), room.open()];
    expect([a.take(60), b.take(41), b.take(40), a.take(1)]).toEqual([true, false, true, false]);
    a.release();
    expect([room.heldBytes(), b.take(60)]).toEqual([40, true]);
    b.become(7);
    expect(room.heldBytes()).toBe(7);
    b.release();
    expect(room.heldBytes()).toBe(0);
  });

  it("counts once what several hold, until the last has let go", () => {
    const room = createAnswerRoom({ bytesMax: 100 });
    const answer = room.open();
    answer.take(30);
    const queries = [room.open(), room.open()];
    for (const query of queries) query.share(answer);
    answer.release();
    expect(room.heldBytes()).toBe(30);
    queries[0]?.release();
    expect(room.heldBytes()).toBe(30);
    queries[1]?.become(5);
    expect(room.heldBytes()).toBe(5);
    queries[1]?.release();
    expect(room.heldBytes()).toBe(0);
  });

  it("counts again what was let go and is held again", () => {
    const room = createAnswerRoom({ bytesMax: 100 });
    const answer = room.open();
    answer.take(30);
    answer.release();
    const query = room.open();
    query.share(answer);
    expect(room.heldBytes()).toBe(30);
    query.release();
    expect(room.heldBytes()).toBe(0);
  });

  it("lets a query begin while less than half is held, and others wait in their order", async () => {
    const room = createAnswerRoom({ bytesMax: 100 });
    const first = await room.begin(never);
    first.take(50);
    const begun: string[] = [];
    const leaving = new AbortController();
    const waiting = [
      room.begin(never).then(() => begun.push("a")),
      room.begin(leaving.signal).then(
        () => begun.push("b"),
        () => begun.push("b left"),
      ),
      room.begin(never).then(() => begun.push("c")),
    ];
    await Promise.resolve();
    expect([begun, room.waiting()]).toEqual([[], 3]);
    leaving.abort(new Error("gone"));
    first.become(10);
    await Promise.all(waiting);
    expect(begun.toSorted()).toEqual(["a", "b left", "c"]);
    expect(begun.indexOf("a")).toBeLessThan(begun.indexOf("c"));
  });

  it("lets as many begin as would fit if they were as large as those lately, but always one", async () => {
    const room = createAnswerRoom({ bytesMax: 100 });
    const begin = async () => {
      const outcome = await Promise.race([room.begin(never), Promise.resolve().then(() => undefined)]);
      return outcome;
    };
    const large = await room.begin(never);
    const part = room.open();
    part.take(40);
    large.share(part);
    large.take(5);
    large.become(1);
    part.release();
    large.release();
    const two = [await room.begin(never), await room.begin(never)];
    expect(await begin()).toBeUndefined();
    expect(room.waiting()).toBe(1);
    for (const one of two) one.release();
    expect(room.waiting()).toBe(0);
    const huge = createAnswerRoom({ bytesMax: 100 });
    (await huge.begin(never)).take(90);
    expect(huge.heldBytes()).toBe(90);
  });

  it("never holds more than its bound, nor anything at the end, whatever happens", () => {
    const step = fc.tuple(
      fc.constantFrom("open", "take", "share", "become", "retain", "release"),
      fc.nat(),
      fc.nat(60),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const room = createAnswerRoom({ bytesMax: 100 });
        const all: { readonly held: HeldBytes; holders: number; readonly canShare: boolean }[] = [];
        for (const [what, which, bytes] of steps) {
          const one = all[which % Math.max(1, all.length)];
          if (what === "open") all.push({ held: room.open(), holders: 1, canShare: all.length % 2 === 0 });
          else if (one === undefined || one.holders === 0) continue;
          else if (what === "take") one.held.take(bytes);
          else if (what === "share") {
            const other = all.find(({ canShare, holders }) => canShare && holders > 0);
            if (other !== undefined && !one.canShare) one.held.share(other.held);
          } else if (what === "become" && bytes === 0) one.held.become(0);
          else if (what === "retain") {
            one.held.retain();
            one.holders++;
          } else if (what === "release") {
            one.held.release();
            one.holders--;
          }
          expect(room.heldBytes()).toBeLessThanOrEqual(100);
          expect(room.heldBytes()).toBeGreaterThanOrEqual(0);
        }
        for (const one of all) for (; one.holders > 0; one.holders--) one.held.release();
        expect(room.heldBytes()).toBe(0);
      }),
    );
  });
});
