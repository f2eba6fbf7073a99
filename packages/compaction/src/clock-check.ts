/**
 * Whether this machine's clock may be trusted with deletions: one that is behind the producers of blocks, or that differs
 * from the bucket's own, may be wrong by any amount.
 */
import { ulidTimeMs, type BlockListing } from "@pleiad/blocks";
import type { Bucket, Clock } from "@pleiad/ports";

/** Clocks of this house may differ by so much. */
const clockToleranceMs = 10 * 60_000;

/** Where no block lies. The object stays, and is written over the next time. */
const probeKey = "debug/compactor-clock";
const probeContent = new TextEncoder().encode("Written by compactors to learn what time it is for the bucket.\n");

/** Why nothing should be deleted by the clock; undefined where nothing speaks against it. Throws BucketError. */
export async function findClockFault(
  bucket: Bucket,
  listing: BlockListing,
  clock: Pick<Clock, "wallMs">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const nowMs = clock.wallMs();
  for (const ulid of listing.blocks.keys()) {
    if (ulidTimeMs(ulid) > nowMs + clockToleranceMs) {
      return `block ${ulid} was made at ${textOf(ulidTimeMs(ulid))}, which is in the future here`;
    }
  }
  return await compareWithBucket(bucket, clock, signal);
}

/** What the bucket says of when an object was written that is written now. A folder as bucket has the clock of this machine. */
async function compareWithBucket(
  bucket: Bucket,
  clock: Pick<Clock, "wallMs">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const beforeMs = clock.wallMs();
  await bucket.put(probeKey, probeContent, { signal });
  const { modifiedMs } = await bucket.attributes(probeKey, signal);
  const afterMs = clock.wallMs();
  if (modifiedMs >= beforeMs - clockToleranceMs && modifiedMs <= afterMs + clockToleranceMs) return undefined;
  return `the bucket says that it is ${textOf(modifiedMs)}, and here it is ${textOf(afterMs)}`;
}

function textOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
