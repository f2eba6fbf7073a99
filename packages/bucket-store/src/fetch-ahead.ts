/** Brings small files of blocks to the local disk before anybody asks for them. */
import { BucketError } from "@pleiad/ports";
import type { HeldBlock } from "./held-block.ts";

/** The newest blocks first: those are asked for most, and are many until they are compacted. Throws once the signal ends it. */
export async function fetchAhead(held: Iterable<HeldBlock>, atOnceMax: number, signal: AbortSignal): Promise<void> {
  const blocks = [...held].sort((a, b) => a.meta.maxTimeMs - b.meta.maxTimeMs);
  const work = async () => {
    for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
      try {
        await block.fetchAhead(signal);
      } catch (error) {
        // Whoever asks for it learns why.
        if (signal.aborted || !(error instanceof BucketError)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnceMax }, work));
}
