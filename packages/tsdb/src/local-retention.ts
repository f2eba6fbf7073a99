/** Which local blocks are past retention. Pure. */

/** What retention looks at. */
export interface RetainedBlock {
  readonly ulid: string;
  readonly maxTimeMs: number;
  readonly sizeBytes: number;
}

export interface LocalRetention {
  /** Blocks that end this long before the newest block does go. Infinity keeps them. */
  readonly retentionMs: number;
  /** The oldest blocks go until the folder, head included, is no larger. 0: no bound. */
  readonly retentionBytesMax: number;
}

export interface ExpiredBlocks {
  readonly byTime: readonly string[];
  readonly bySize: readonly string[];
  /** Past retention and kept: they are not uploaded. */
  readonly held: readonly string[];
}

/**
 * As with Prometheus, age is counted from the end of the newest block: neither from the clock's time nor from the newest
 * sample, which has it. A clock that jumps ahead deletes nothing before hours of its samples are there.
 */
export function expiredBlocks(
  blocks: readonly RetainedBlock[],
  headBytes: number,
  { retentionMs, retentionBytesMax }: LocalRetention,
  mayGo: (ulid: string) => boolean,
): ExpiredBlocks {
  const byTime: string[] = [];
  const bySize: string[] = [];
  const held: string[] = [];
  const newestMs = blocks.reduce((latest, { maxTimeMs }) => Math.max(latest, maxTimeMs), -Infinity);
  let sizeBytes = headBytes;
  for (const block of blocks) sizeBytes += block.sizeBytes;
  for (const { ulid, maxTimeMs, sizeBytes: blockBytes } of blocks.toSorted((a, b) => a.maxTimeMs - b.maxTimeMs)) {
    const isOld = newestMs - maxTimeMs >= retentionMs;
    const isTooMuch = retentionBytesMax > 0 && sizeBytes > retentionBytesMax;
    if (!isOld && !isTooMuch) continue;
    if (!mayGo(ulid)) {
      held.push(ulid);
      continue;
    }
    (isOld ? byTime : bySize).push(ulid);
    sizeBytes -= blockBytes;
  }
  return { byTime, bySize, held };
}
