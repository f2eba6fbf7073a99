import { seededRandom, type Bucket, type Random } from "@pleiad/ports";
import { manualClock, memoryBucket, memoryFiles, silentObservations, type MemoryBucket } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import {
  describeBlocks,
  epochMs,
  hourMs,
  listBlocks,
  putBlock,
  readSamples,
  steadySeries,
} from "./compaction.fixtures.ts";
import { createCompactor } from "./bucket-compactor.ts";
import { defaultBlockWork, defaultCompactor, type CompactorOptions } from "./compactor.ts";

/** More seeds by hand. */
const thoroughness = Number(process.env["PLEIAD_THOROUGHNESS"] ?? 1);

/** Lets one of several actors do one operation at a time, by the dice. */
class Schedule {
  readonly #waiting: { readonly actor: number; readonly go: () => void }[] = [];
  readonly #random: Random;
  #running: number;

  constructor(actors: number, random: Random) {
    this.#running = actors;
    this.#random = random;
  }

  turn(actor: number): Promise<void> {
    return new Promise((go) => this.#waiting.push({ actor, go }));
  }

  leave(): void {
    this.#running--;
  }

  /** Until all have left. `after` runs between operations. */
  async run(after: () => Promise<void>): Promise<void> {
    // In some runs they alternate; in others one stands still for most of a pass, as a process does that was stopped.
    const switching = [0.4, 0.1, 0.03, 0.01][this.#random.int(4)] ?? 0;
    let favourite = this.#random.int(2);
    while (this.#running > 0) {
      for (let i = 0; i < 100 && this.#waiting.length < this.#running; i++) await new Promise(setImmediate);
      if (this.#running === 0) break;
      if (this.#random.float() < switching) favourite = this.#random.int(2);
      const at = Math.max(
        0,
        this.#waiting.findIndex(({ actor }) => actor === favourite),
      );
      const [chosen] = this.#waiting.splice(at, 1);
      chosen?.go();
      await new Promise(setImmediate);
      await after();
    }
  }
}

function scheduled(bucket: Bucket, turn: () => Promise<void>): Bucket {
  return {
    name: bucket.name,
    put: async (key, body, options) => {
      await turn();
      return bucket.put(key, body, options);
    },
    get: async (key, range, signal) => {
      await turn();
      return bucket.get(key, range, signal);
    },
    attributes: async (key, signal) => {
      await turn();
      return bucket.attributes(key, signal);
    },
    delete: async (key, signal) => {
      await turn();
      await bucket.delete(key, signal);
    },
    // A page at a time, so that what is listed is not of one moment.
    async *list(prefix, options) {
      let after = options?.after;
      for (;;) {
        await turn();
        const page: string[] = [];
        for await (const key of bucket.list(prefix, { ...options, ...(after === undefined ? {} : { after }) })) {
          page.push(key);
          if (page.length === 7) break;
        }
        yield* page;
        if (page.length < 7) return;
        after = page.at(-1);
      }
    },
  };
}

async function startingBucket(): Promise<MemoryBucket> {
  const bucket = memoryBucket();
  for (let from = 0; from < 28; from += 2) {
    const series = steadySeries(["up"], from, from + 2);
    await putBlock(bucket, { from, to: from + 2, labels: { cluster: "a" }, series });
  }
  return bucket;
}

/** Reads each block once: its objects never change while it is there. */
function sampleReader(bucket: MemoryBucket) {
  const known = new Map<string, readonly string[]>();
  return async () => {
    const samples = new Set<string>();
    for (const ulid of (await listBlocks(bucket)).keys()) {
      const lines = known.get(ulid) ?? (await readSamples(bucket, ulid));
      known.set(ulid, lines);
      for (const line of lines) samples.add(line);
    }
    return samples;
  };
}

async function race(seed: number, options: Partial<CompactorOptions>) {
  const bucket = await startingBucket();
  const readAll = sampleReader(bucket);
  const before = await readAll();
  const random = seededRandom(seed);
  const schedule = new Schedule(2, random);
  const clock = manualClock(epochMs + 30 * hourMs);
  const open = (of: Bucket) => {
    const made = createCompactor(
      of,
      { ...defaultCompactor, work: { ...defaultBlockWork, directory: "/work" }, isDownsampling: false, ...options },
      { clock, files: memoryFiles(), observations: silentObservations() },
    );
    if (!made.ok) throw new Error(made.failure);
    return made.value;
  };
  const { signal } = new AbortController();
  const compactors = [0, 1].map((actor) => open(scheduled(bucket, () => schedule.turn(actor))));
  const runs = compactors.map(async (compactor) => {
    try {
      for (let i = 0; i < 3; i++) await compactor.runPass(signal);
    } finally {
      schedule.leave();
    }
  });
  let objects = -1;
  await schedule.run(async () => {
    if (bucket.objects.size === objects) return;
    objects = bucket.objects.size;
    const samples = await readAll();
    for (const line of before) if (!samples.has(line)) throw new Error(`seed ${seed}: lost ${line}`);
  });
  await Promise.all(runs);
  for (const compactor of compactors) expect(compactor.status().halted, `seed ${seed}`).toEqual([]);
  // One of them goes on alone: what both left is one bucket in order.
  const last = open(bucket);
  for (let i = 0; i < 4; i++) {
    await last.runPass(signal);
    await clock.advance(50 * hourMs);
  }
  expect(await readAll(), `seed ${seed}`).toEqual(before);
  return await describeBlocks(bucket);
}

describe("two compactors at once on one bucket, in any order of their operations", () => {
  const expected = ["0-8", "8-16", "16-24", "24-26", "26-28"].map((hours) =>
    expect.stringMatching(new RegExp(`^${hours} raw L\\d`)),
  );

  it("lose no sample and end with one result", async () => {
    for (let seed = 0; seed < 8 * thoroughness; seed++) expect(await race(seed, {}), `seed ${seed}`).toEqual(expected);
  }, 1_000_000);

  it("also when what is marked is deleted at once", async () => {
    for (let seed = 0; seed < 8 * thoroughness; seed++) {
      expect(await race(seed, { deleteDelayMs: 0 }), `seed ${seed}`).toEqual(expected);
    }
  }, 1_000_000);
});
