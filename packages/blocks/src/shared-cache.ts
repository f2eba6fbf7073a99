/** One bound on what many open blocks keep in memory: the blocks that were asked least recently forget first. */

export interface SharedCache {
  readonly bytesMax: number;
  /** What the blocks that share it keep now. */
  readonly heldBytes: number;
  /** For blocks: takes part until `leave`. */
  join(member: CacheMember): CacheSeat;
}

/** A block, as its share of the cache sees it. */
export interface CacheMember {
  heldBytes(): number;
  /** Forgets all that comes back with the next question; may put it off while a question waits for some of it. */
  forget(): void;
}

export interface CacheSeat {
  /** To be called when the member was used and may hold more than before. */
  settle(): void;
  leave(): void;
}

export function createSharedCache(bytesMax: number): SharedCache {
  // In the order of their last use.
  const heldBy = new Map<CacheMember, number>();
  let heldBytes = 0;

  function count(member: CacheMember, held: number): void {
    heldBytes += held - (heldBy.get(member) ?? 0);
    heldBy.delete(member);
    heldBy.set(member, held);
  }

  return {
    bytesMax,
    get heldBytes() {
      return heldBytes;
    },
    join: (member) => {
      let isMember = true;
      return { settle, leave };

      function settle() {
        // A cursor may outlive its block.
        if (!isMember) return;
        count(member, member.heldBytes());
        if (heldBytes <= bytesMax) return;
        // The one in use goes last, and goes too if it alone is too large.
        for (const other of [...heldBy.keys()]) {
          if (heldBytes <= bytesMax * 0.75) break;
          other.forget();
          heldBytes += other.heldBytes() - (heldBy.get(other) ?? 0);
          heldBy.set(other, other.heldBytes());
        }
      }

      function leave() {
        isMember = false;
        heldBytes -= heldBy.get(member) ?? 0;
        heldBy.delete(member);
      }
    },
  };
}
