/** The blocks of a data folder, open for reading. One that cannot be read makes a gap, which answers tell of. */
import {
  deleteBlockFolder,
  directoryBlockBytes,
  formatBlockFailure,
  openBlock,
  sourceFailureOf,
  type Block,
  type BlockFailure,
  type BlockMeta,
  type BlockOptions,
} from "@pleiad/blocks";
import { fail, ok, type Result, type SourceFailure } from "@pleiad/model";
import { pacedYield, type Ports } from "@pleiad/ports";
import { quarantineName, readBlockMeta, treeBytes, type FolderInventory } from "./data-folder.ts";

export interface LocalBlock {
  readonly meta: BlockMeta;
  readonly block: Block;
  readonly sizeBytes: number;
}

/** Data that is missing, and the time that it is of. */
interface Gap {
  readonly ulid: string;
  readonly minTimeMs: number;
  readonly maxTimeMs: number; // exclusive
  readonly failure: SourceFailure;
}

type BlocksPorts = Pick<Ports, "clock" | "files" | "observations">;

export class LocalBlocks {
  readonly #directory: string;
  readonly #options: BlockOptions;
  readonly #ports: BlocksPorts;
  #blocks: readonly LocalBlock[] = [];
  readonly #gaps: Gap[] = [];

  constructor(directory: string, options: BlockOptions, ports: BlocksPorts) {
    this.#directory = directory;
    // One for all blocks: they are read at the same time.
    this.#options = { yield: pacedYield(ports.clock), ...options };
    this.#ports = ports;
  }

  /** By the time that they begin. A list that was given out does not change. */
  get all(): readonly LocalBlock[] {
    return this.#blocks;
  }

  get gapCount(): number {
    return this.#gaps.length;
  }

  /** Where the blocks end that were cut from a head: it has nothing below. -Infinity without blocks. */
  get headFromMs(): number {
    let fromMs = -Infinity;
    for (const { meta } of this.#blocks) {
      // Those of out-of-order samples say nothing about the others of their time.
      if (!meta.compaction.hints.includes("from-out-of-order")) fromMs = Math.max(fromMs, meta.maxTimeMs);
    }
    return fromMs;
  }

  /** What is missing from [minTimeMs, maxTimeMs]. */
  gapsIn(minTimeMs: number, maxTimeMs: number): readonly SourceFailure[] {
    return this.#gaps
      .filter((gap) => gap.minTimeMs <= maxTimeMs && gap.maxTimeMs > minTimeMs)
      .map((gap) => gap.failure);
  }

  /** Opens blocks by name. Those that one of the others was made from are passed over. Throws FileError. */
  async openAll(ulids: readonly string[]): Promise<void> {
    const metas: BlockMeta[] = [];
    for (const ulid of ulids) {
      const meta = await readBlockMeta(this.#ports.files, `${this.#directory}/${ulid}`);
      if (meta === undefined) continue;
      if (!meta.ok) this.#addGap(ulid, undefined, meta.failure);
      else metas.push(meta.value);
    }
    // What was made of others comes first: those it was made of are needed where it cannot be read.
    const superseded = new Set<string>();
    for (const meta of metas.toSorted((a, b) => b.compaction.level - a.compaction.level)) {
      if (superseded.has(meta.ulid) || meta.compaction.isDeletable) continue;
      const opened = await this.open(meta.ulid);
      if (!opened.ok) this.#addGap(meta.ulid, meta, opened.failure);
      else for (const { ulid } of meta.compaction.parents) superseded.add(ulid);
    }
  }

  /** Blocks that were set aside are gaps, unless a person has put one of the same name into the place. */
  async addQuarantined({ blocks, quarantined }: FolderInventory): Promise<void> {
    const inPlace = new Set(blocks);
    for (const ulid of quarantined) {
      if (inPlace.has(ulid)) continue;
      const path = `${this.#directory}/${quarantineName}/${ulid}`;
      const meta = await readBlockMeta(this.#ports.files, path);
      const known = meta?.ok === true ? meta.value : undefined;
      this.#addGap(ulid, known, {
        kind: "corrupt",
        block: ulid,
        file: path,
        offset: 0,
        reason: "the block is set aside",
      });
    }
  }

  /** Adds the block of this name, which readers see from now on. */
  async open(ulid: string): Promise<Result<LocalBlock, BlockFailure>> {
    const { files } = this.#ports;
    const path = `${this.#directory}/${ulid}`;
    const sizeBytes = await treeBytes(files, path);
    const opened = await openBlock(directoryBlockBytes(files, path), this.#options);
    if (!opened.ok) return opened;
    const block = opened.value;
    if (block.meta.ulid !== ulid) {
      await block.close();
      const reason = `it says to be block ${block.meta.ulid}`;
      return fail({ kind: "corrupt", block: ulid, file: "meta.json", offset: 0, reason });
    }
    const local = { meta: block.meta, block, sizeBytes };
    this.#blocks = [...this.#blocks, local].sort((a, b) => a.meta.minTimeMs - b.meta.minTimeMs);
    return ok(local);
  }

  /** Moves the blocks out of the way whose bytes are damaged. Gives how many. Throws FileError. */
  async quarantine(): Promise<number> {
    const { files, observations } = this.#ports;
    const target = `${this.#directory}/${quarantineName}`;
    let count = 0;
    for (const { ulid, failure } of this.#gaps) {
      if (failure.kind !== "corrupt" || !(await files.exists(`${this.#directory}/${ulid}`))) continue;
      await files.makeDirectory(target);
      let name = ulid;
      for (let number = 2; await files.exists(`${target}/${name}`); number++) name = `${ulid}-${number}`;
      await files.rename(`${this.#directory}/${ulid}`, `${target}/${name}`);
      await files.syncDirectory(target);
      await files.syncDirectory(this.#directory);
      observations.log("error", "A damaged block is set aside.", { block: ulid, directory: target });
      count++;
    }
    return count;
  }

  /** Readers that come from now on do not see them. They stay open: for those who read now. */
  hide(ulids: ReadonlySet<string>): readonly LocalBlock[] {
    const hidden = this.#blocks.filter(({ meta }) => ulids.has(meta.ulid));
    this.#blocks = this.#blocks.filter(({ meta }) => !ulids.has(meta.ulid));
    return hidden;
  }

  /** Closes a block that is hidden, and removes it. Throws FileError. */
  async remove({ meta, block }: LocalBlock): Promise<void> {
    await block.close();
    await deleteBlockFolder(this.#ports.files, this.#directory, meta.ulid);
  }

  async close(): Promise<void> {
    const blocks = this.#blocks;
    this.#blocks = [];
    for (const { block } of blocks) await block.close();
  }

  #addGap(ulid: string, meta: BlockMeta | undefined, failure: BlockFailure): void {
    const { minTimeMs = -Infinity, maxTimeMs = Infinity } = meta ?? {};
    this.#gaps.push({ ulid, minTimeMs, maxTimeMs, failure: sourceFailureOf(failure) });
    const fields = { directory: this.#directory, reason: formatBlockFailure(failure) };
    this.#ports.observations.log("error", "A block cannot be read: its samples are missing from answers.", fields);
  }
}
