/**
 * Kills processes with SIGKILL at random moments, again and again over the same files: one that appends, cuts, checkpoints
 * and uploads; one that compacts, downsamples, marks and deletes; the store between them. After each round what was
 * acknowledged is there, what is there was written, and nothing half-written is to be seen; at the end of a world a last
 * compactor leaves the bucket in good order. By hand: `node e2e/crash-rounds.ts --rounds 2000 [--seed 7]`.
 */
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { createCompactor } from "@pleiad/compaction";
import { createNodePorts, nodeFiles } from "@pleiad/node-ports";
import { seededRandom, type Random } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { crashBucket, openCrashBucket } from "./crash-bucket.ts";
import { BucketInspection, inspectFolder } from "./crash-inspection.ts";
import { compactorOptionsOf, lineOf, numberOf, samplesOf } from "./crash-workload.ts";
import { startProcess, type KilledProcess } from "./killed-process.ts";
import { temporaryFolder } from "./twin-under-test.ts";

export interface CrashReport {
  readonly rounds: number;
  readonly kills: Readonly<Record<CrashRole, number>>;
  readonly commits: number; // acknowledged
  /** How many blocks came to the buckets, by resolution and level. */
  readonly blocks: ReadonlyMap<string, number>;
  /** What went wrong, by round. */
  readonly faults: readonly string[];
}

type CrashRole = "writer" | "compactor" | "store";

const roundsPerWorld = 50;
const worldsAtOnce = 2;
/** A process is killed when it has told so many lines at the most: a writer two for each commit. */
const writerLinesMax = 60;
const compactorLinesMax = 250;
const storeKillRatio = 0.25;
const delayMsMax = 8;

export async function crashRounds(rounds: number, seed: number, onRound = (_done: number) => {}): Promise<CrashReport> {
  const folder = temporaryFolder();
  const worlds = Array.from({ length: Math.ceil(rounds / roundsPerWorld) }, (_, i) => {
    // Every second world has its bucket behind a store.
    const settings = { hasStore: i % 2 === 1, rounds: Math.min(roundsPerWorld, rounds - i * roundsPerWorld) };
    return { ...settings, world: new CrashWorld(`${folder.path}/${i}`, `${folder.path}/compiled`, seed + i) };
  });
  let done = 0;
  const waiting = [...worlds];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await next.world.live(next.rounds, next.hasStore, () => onRound(++done));
    }
  };
  try {
    await Promise.all(Array.from({ length: worldsAtOnce }, work));
  } finally {
    folder.remove();
  }
  const kills = { writer: 0, compactor: 0, store: 0 };
  const blocks = new Map<string, number>();
  for (const { world } of worlds) {
    for (const role of ["writer", "compactor", "store"] as const) kills[role] += world.kills[role];
    for (const [kind, count] of world.blocks) blocks.set(kind, (blocks.get(kind) ?? 0) + count);
  }
  const commits = worlds.reduce((sum, { world }) => sum + world.commits, 0);
  return { rounds: done, kills, commits, blocks, faults: worlds.flatMap(({ world }) => world.faults) };
}

/** A data folder and a bucket, with what was told of them. */
class CrashWorld {
  readonly kills: Record<CrashRole, number> = { writer: 0, compactor: 0, store: 0 };
  readonly faults: string[] = [];
  blocks: ReadonlyMap<string, number> = new Map();
  readonly #directory: string;
  readonly #cacheDirectory: string;
  readonly #seed: number;
  readonly #random: Random;
  readonly #acknowledged = new Set<number>();
  #next = 0; // the first commit that nobody tried
  #store: KilledProcess | undefined;

  constructor(directory: string, cacheDirectory: string, seed: number) {
    this.#directory = directory;
    this.#cacheDirectory = cacheDirectory;
    this.#seed = seed;
    this.#random = seededRandom(seed);
  }

  get commits(): number {
    return this.#acknowledged.size;
  }

  async live(rounds: number, hasStore: boolean, onRound: () => void): Promise<void> {
    const data = `${this.#directory}/data`;
    await nodeFiles().makeDirectory(data);
    // Objects of a store are plain files, and can be looked at while it is dead.
    const bucketAddress = `file:${this.#directory}/store/buckets/${crashBucket}`;
    const inspection = new BucketInspection(openCrashBucket(bucketAddress));
    this.blocks = inspection.kinds;
    try {
      for (let round = 1; round <= rounds && this.faults.length === 0; round++) {
        await this.#round(hasStore ? await this.#storeAddress() : bucketAddress);
        const faults: string[] = [];
        const local = await inspectFolder(data, faults);
        this.#note(`round ${round}`, [...faults, ...this.#compare(local, await inspection.lines(faults))]);
        onRound();
      }
      if (this.faults.length === 0) this.#note("the end", await this.#end(bucketAddress, inspection, data));
    } finally {
      await this.#store?.kill();
    }
  }

  /** One or two processes from their start to their death, and sometimes that of the store. */
  async #round(address: string): Promise<void> {
    const random = this.#random;
    const chance = random.float();
    const roles: readonly CrashRole[] =
      chance < 0.5 ? ["writer"] : chance < 0.85 ? ["compactor"] : ["writer", "compactor"];
    const dyingStore = address.startsWith("s3:") && random.float() < storeKillRatio ? this.#store : undefined;
    if (dyingStore !== undefined) this.#store = undefined;
    const lives = roles.map((role) => {
      const lines = random.int(role === "writer" ? writerLinesMax : compactorLinesMax);
      return { role, lines, delayMs: random.float() * delayMsMax, process: this.#start(role, address, roles) };
    });
    await Promise.all([
      ...lives.map(async ({ process, lines, delayMs, role }) => {
        await process.told(1 + lines);
        await pause(delayMs);
        this.#hear(role, await process.kill());
      }),
      dyingStore === undefined
        ? undefined
        : this.#killAmid(
            dyingStore,
            lives.map(({ process }) => process),
          ),
    ]);
  }

  #start(role: CrashRole, address: string, roles: readonly CrashRole[]): KilledProcess {
    const args =
      role === "writer"
        ? [`${this.#directory}/data`, address, String(this.#next)]
        : [`${this.#directory}/work`, address, roles.length === 1 ? "alone" : "beside a writer"];
    return startProcess(`crash-${role}.ts`, args, this.#cacheDirectory);
  }

  async #killAmid(store: KilledProcess, others: readonly KilledProcess[]): Promise<void> {
    const lines = 1 + this.#random.int(writerLinesMax / 2);
    await Promise.race(others.map((process) => process.told(lines)));
    await pause(this.#random.float() * delayMsMax);
    const { fault } = await store.kill();
    this.kills.store++;
    if (fault !== undefined) this.#note("the store", [fault]);
  }

  #hear(role: CrashRole, { lines, fault }: Awaited<ReturnType<KilledProcess["kill"]>>): void {
    this.kills[role]++;
    if (fault !== undefined) this.#note(role, [fault]);
    if (role !== "writer") return;
    const numbers = (word: string) => lines.flatMap((line) => (line.startsWith(word) ? [Number(line.slice(4))] : []));
    for (const number of numbers("ack ")) this.#acknowledged.add(number);
    this.#next = Math.max(this.#next, (numbers("try ").at(-1) ?? -1) + 1);
  }

  async #storeAddress(): Promise<string> {
    this.#store ??= startProcess("crash-store.ts", [`${this.#directory}/store`], this.#cacheDirectory);
    const [, address] = (await this.#store.opened()).split(" ");
    return `s3:${address}`;
  }

  /** A compactor that nobody kills comes to the end of its work. */
  async #end(bucketAddress: string, inspection: BucketInspection, data: string): Promise<readonly string[]> {
    const created = createCompactor(
      openCrashBucket(bucketAddress),
      compactorOptionsOf(`${this.#directory}/work`, true),
      createNodePorts({ observations: silentObservations() }),
    );
    if (!created.ok) return [created.failure];
    const compactor = created.value;
    for (let pass = 0; pass < 2; pass++) {
      const outcome = await compactor.runPass(new AbortController().signal);
      if (outcome.kind !== "done") return [`a pass ends as ${JSON.stringify(outcome)}`];
      await pause(2 * compactorOptionsOf("/", true).deleteDelayMs);
    }
    await compactor.close();
    const { todo, halted } = compactor.status();
    const left = [
      ...halted.map(({ reason }) => reason),
      ...Object.entries(todo).flatMap(([of, count]) => (count > 0 ? [`${count} ${of} to do`] : [])),
    ];
    const faults = [...left, ...(await inspection.faultsAtRest())];
    const local = await inspectFolder(data, faults);
    return [...faults, ...this.#compare(local, await inspection.lines(faults))];
  }

  #compare(local: readonly string[], uploaded: ReadonlySet<string>): string[] {
    const faults: string[] = [];
    const there = new Set([...uploaded, ...local]);
    for (const line of there) {
      const number = numberOf(Number(line.split(" ")[1]));
      const isWritten = number < this.#next && samplesOf(number).some((sample) => lineOf(sample) === line);
      if (!isWritten) faults.push(`invented: ${line}`);
    }
    for (const number of this.#acknowledged) {
      for (const sample of samplesOf(number)) if (!there.has(lineOf(sample))) faults.push(`lost: ${lineOf(sample)}`);
    }
    return faults;
  }

  #note(when: string, faults: readonly string[]): void {
    this.faults.push(...faults.slice(0, 20).map((fault) => `${when} of seed ${this.#seed}: ${fault}`));
  }
}

async function pause(delayMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { rounds: { type: "string" }, seed: { type: "string" } } });
  const rounds = Number(values.rounds ?? 2000);
  const report = await crashRounds(rounds, Number(values.seed ?? 1), (done) => {
    if (done % 50 === 0) process.stdout.write(`${done} of ${rounds}\n`);
  });
  const { kills, commits, blocks } = report;
  process.stdout.write(`${report.rounds} rounds, ${JSON.stringify(kills)} kills, ${commits} commits\n`);
  for (const [kind, count] of [...blocks].sort()) process.stdout.write(`${count} blocks of ${kind}\n`);
  for (const fault of report.faults) process.stdout.write(`${fault}\n`);
  process.exitCode = report.faults.length === 0 ? 0 : 1;
}
