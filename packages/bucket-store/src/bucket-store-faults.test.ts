/** A bucket that fails, stalls, answers half or lies, and blocks that go while they are read: never a wrong answer. */
import { BucketError, seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import {
  ask,
  epochMs,
  interceptedBucket,
  linesOf,
  openStore,
  putBlock,
  putCompacted,
  putDeletionMark,
  steadySeries,
  type Answer,
  type InterceptedBucket,
} from "./bucket-store.fixtures.ts";

const names = ["apples", "pears", "plums"];

async function twoBlocks() {
  const bucket = interceptedBucket();
  const blocks = [0, 2].map((from) => ({ from, to: from + 2, series: steadySeries(names, from, from + 2) }));
  const metas = [];
  for (const block of blocks) metas.push(await putBlock(bucket, block));
  const [first, second] = metas;
  if (first === undefined || second === undefined) throw new Error("no blocks");
  return { bucket, blocks, first, second };
}

function times(answer: InterceptedBucket["answer"], count: number): InterceptedBucket["answer"] {
  let left = count;
  return (call, real, signal) => (left-- > 0 ? answer(call, real, signal) : real());
}

const failing: InterceptedBucket["answer"] = async ({ key }) => {
  throw new BucketError("unavailable", key, "down");
};
const half: InterceptedBucket["answer"] = async (_, real) => {
  const bytes = await real();
  return bytes.subarray(0, bytes.length / 2);
};
const stalling: InterceptedBucket["answer"] = () => new Promise(() => {});

describe("a read that fails", () => {
  for (const [what, answer] of [
    ["by an error", failing],
    ["by half of the bytes", half],
    ["by no answer at all", stalling],
  ] as const) {
    it(`${what} is tried again`, async () => {
      const { bucket, blocks } = await twoBlocks();
      const { store, ports } = await openStore(bucket);
      bucket.answer = times(answer, 2);
      const answered = ask(store);
      await ports.clock.advance(10 * 60_000);
      expect(await answered).toEqual({ lines: linesOf(blocks), failure: undefined, warnings: [] });
    });

    it(`${what} again and again is told by name, and what the other blocks have is given`, async () => {
      const { bucket, blocks, first } = await twoBlocks();
      const { store, ports } = await openStore(bucket);
      bucket.answer = (call, real, signal) => (call.key.startsWith(first.ulid) ? answer(call, real, signal) : real());
      const warned = ask(store);
      const aborted = ask(store, { onFailure: "abort" });
      await ports.clock.advance(60 * 60_000);
      expect((await warned).lines).toEqual(linesOf(blocks.slice(1)));
      expect((await warned).warnings).toEqual([expect.stringContaining(`block ${first.ulid}`)]);
      expect((await aborted).failure).toContain(`block ${first.ulid}`);
      // The next question finds the bucket well.
      bucket.answer = (_, real) => real();
      expect((await ask(store)).lines).toEqual(linesOf(blocks));
    });
  }

  it("tells of twenty blocks and counts the others", async () => {
    const bucket = interceptedBucket();
    for (let i = 0; i < 30; i++) {
      await putBlock(bucket, { from: 0, to: 2, external: { i: String(i) }, series: steadySeries(["apples"], 0, 2) });
    }
    const { store, ports } = await openStore(bucket);
    bucket.answer = failing;
    const answered = ask(store);
    await ports.clock.advance(60_000);
    const { warnings } = await answered;
    expect(warnings).toHaveLength(21);
    expect(warnings.at(-1)).toBe("gateway: 10 more warnings");
  });

  it("by access denied is not tried again", async () => {
    const { bucket, first } = await twoBlocks();
    const { store } = await openStore(bucket);
    let count = 0;
    bucket.answer = async ({ key }, real) => {
      if (!key.startsWith(first.ulid)) return await real();
      count++;
      throw new BucketError("access-denied", key, "no");
    };
    expect((await ask(store)).warnings).toEqual([expect.stringContaining("access-denied")]);
    expect(count).toBe(1);
  });
});

describe("bytes that are damaged", () => {
  const flip: InterceptedBucket["answer"] = async (_, real) => (await real()).map((byte) => byte ^ 0xff);

  it("on the way are read once more", async () => {
    const { bucket, blocks } = await twoBlocks();
    const { store } = await openStore(bucket);
    await ask(store, { matchers: [{ type: "=", name: "__name__", value: "nothing" }] });
    for (const part of ["index", "chunks/000001"]) {
      let left = 1;
      bucket.answer = (call, real) => (call.key.endsWith(part) && left-- > 0 ? flip(call, real) : real());
      expect(await ask(store)).toEqual({ lines: linesOf(blocks), failure: undefined, warnings: [] });
    }
  });

  it("in the bucket are told by name, and not kept: the next question reads anew", async () => {
    const { bucket, blocks, first } = await twoBlocks();
    const { store } = await openStore(bucket);
    const key = `${first.ulid}/chunks/000001`;
    bucket.answer = (call, real) => (call.key === key ? flip(call, real) : real());
    const answer = await ask(store);
    expect(answer.lines).toEqual(linesOf(blocks.slice(1)));
    expect(answer.warnings).toEqual([
      expect.stringMatching(new RegExp(`block ${first.ulid}: corrupt data: chunks/000001`)),
    ]);
    bucket.answer = (_, real) => real();
    expect((await ask(store)).lines).toEqual(linesOf(blocks));
  });
});

it("a full disk keeps no index headers, and no answer back", async () => {
  const { bucket, blocks } = await twoBlocks();
  const { store, ports } = await openStore(bucket);
  ports.files.failFrom(1, "ENOSPC");
  expect(await ask(store)).toEqual({ lines: linesOf(blocks), failure: undefined, warnings: [] });
  expect([...ports.files.contents.keys()].filter((path) => path.endsWith("index-header"))).toEqual([]);
  ports.files.heal();
  expect(await ask(store)).toMatchObject({ lines: linesOf(blocks), warnings: [] });
});

describe("a block that goes while it is read", () => {
  const untilSeen = async (bucket: InterceptedBucket, part: string, act: () => Promise<void>) => {
    let isDone = false;
    bucket.answer = async ({ key }, real) => {
      if (!isDone && key.endsWith(part)) {
        isDone = true;
        await act();
      }
      return await real();
    };
  };
  const remove = async (bucket: InterceptedBucket, ulid: string) => {
    for (const key of [...bucket.objects.keys()]) if (key.startsWith(ulid)) await bucket.delete(key);
  };

  for (const part of ["index", "chunks/000001"]) {
    it(`is read from its successor, from its ${part} on`, async () => {
      const { bucket, blocks, first, second } = await twoBlocks();
      const { store } = await openStore(bucket);
      await untilSeen(bucket, part, async () => {
        await putCompacted({ ...bucket, get: (key, range) => Promise.resolve(slice(bucket, key, range)) }, [
          first,
          second,
        ]);
        await remove(bucket, first.ulid);
        await remove(bucket, second.ulid);
      });
      expect(await ask(store)).toEqual({ lines: linesOf(blocks), failure: undefined, warnings: [] });
      expect(store.status().blocks).toHaveLength(1);
    });
  }

  it("is told by name where no other block has its samples", async () => {
    const { bucket, blocks, first } = await twoBlocks();
    const { store } = await openStore(bucket);
    await untilSeen(bucket, "chunks/000001", () => remove(bucket, first.ulid));
    const answer = await ask(store);
    expect(answer.lines).toEqual(linesOf(blocks.slice(1)));
    const reason = "it was deleted from the bucket while it was read, and no other block has its samples";
    expect(answer.warnings).toEqual([`block ${first.ulid}: ${reason}`]);
    // From then on it is not there, and nothing is missing.
    expect(await ask(store)).toEqual({ lines: linesOf(blocks.slice(1)), failure: undefined, warnings: [] });
  });

  it("is held by questions that began before the list was read anew", async () => {
    const { bucket, blocks, first, second } = await twoBlocks();
    const { store } = await openStore(bucket);
    await untilSeen(bucket, "chunks/000001", async () => {
      await putDeletionMark(bucket, first.ulid, epochMs - 25 * 3_600_000);
      await putDeletionMark(bucket, second.ulid, epochMs - 25 * 3_600_000);
      await store.refresh();
      expect(store.status().blocks).toEqual([]);
    });
    expect((await ask(store)).lines).toEqual(linesOf(blocks));
    expect(store.status().cacheBytes).toBe(0);
  });

  it("may be asked for labels too", async () => {
    const { bucket, first, second } = await twoBlocks();
    const { store } = await openStore(bucket);
    await untilSeen(bucket, "index", async () => {
      await putCompacted({ ...bucket, get: (key, range) => Promise.resolve(slice(bucket, key, range)) }, [
        first,
        second,
      ]);
      await remove(bucket, first.ulid);
      await remove(bucket, second.ulid);
    });
    const range = { minTimeMs: epochMs, maxTimeMs: epochMs + 3_600_000 };
    const answer = await store.labelValues(
      "__name__",
      { ...range, matchers: [], withoutLabels: [], onFailure: "abort", limit: 0 },
      new AbortController().signal,
    );
    expect(answer).toEqual({ ok: true, value: { values: names, warnings: [] } });
  });
});

it("a bucket that misbehaves at random: an answer is whole, or says what is missing", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed);
    const faultProbability = random.float() * 0.7;
    const { bucket, blocks, first, second } = await twoBlocks();
    const { store, ports } = await openStore(bucket, { cacheBytesMax: random.int(2) * 100_000 });
    const faultOf = [
      failing,
      half,
      stalling,
      async (_: unknown, real: () => Promise<Uint8Array>) => flipOne(await real(), random.int(1 << 30)),
    ];
    bucket.answer = (call, real, signal) => {
      if (random.float() >= faultProbability) return real();
      return (faultOf[random.int(4)] ?? failing)(call, real, signal);
    };
    const answers: Promise<Answer>[] = [];
    for (let i = 0; i < 4; i++) {
      answers.push(ask(store, { onFailure: random.int(2) === 0 ? "warn" : "abort" }));
      await ports.clock.advance(random.int(30_000));
    }
    await ports.clock.advance(3_600_000);
    for (const { lines, failure, warnings } of await Promise.all(answers)) {
      const context = `seed ${seed}`;
      const all = new Set(linesOf(blocks));
      expect(
        lines.filter((line) => !all.has(line)),
        context,
      ).toEqual([]);
      if (failure === undefined && warnings.length === 0) expect(lines, context).toEqual([...all]);
      for (const text of [failure ?? first.ulid, ...warnings]) {
        expect(text.includes(first.ulid) || text.includes(second.ulid), `${context}: ${text}`).toBe(true);
      }
    }
  }
});

function flipOne(bytes: Uint8Array, at: number): Uint8Array {
  const damaged = bytes.slice();
  const i = at % Math.max(1, damaged.length);
  if (i < damaged.length) damaged[i] = (damaged[i] ?? 0) ^ (1 << (at & 7));
  return damaged;
}

function slice(
  bucket: InterceptedBucket,
  key: string,
  range: { readonly offset: number; readonly length: number } | undefined,
): Uint8Array {
  const content = bucket.objects.get(key);
  if (content === undefined) throw new BucketError("not-found", key, "no such object");
  return range === undefined ? content.slice() : content.slice(range.offset, range.offset + range.length);
}
