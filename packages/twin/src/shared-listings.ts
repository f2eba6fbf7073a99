/**
 * One listing for all who ask for the same keys at the same time. A look at a bucket costs its store far more than each
 * reader of it, and the gateways of a process begin together.
 */
import type { Bucket } from "@pleiad/ports";

/** What was listed so far, and who waits for more. */
interface SharedListing {
  readonly keys: string[];
  readonly waiting: Set<() => void>;
  /** Of those that follow: the listing is given up when none is left. */
  followers: number;
  readonly given: AbortController;
  end: { readonly failure: unknown } | "whole" | undefined;
}

/**
 * Gives buckets that share their listings; they must be of the same storage. Who asks while a listing of the prefix is under
 * way follows it from its beginning: what was put meanwhile may be missing until the next one, as in any listing of
 * several pages. For readers that look again and again, and put nothing themselves. Listings from a key on, or with a
 * delimiter, are not shared.
 */
export function shareListings(): (bucket: Bucket) => Bucket {
  const underWay = new Map<string, SharedListing>();

  const begin = (bucket: Bucket, prefix: string): SharedListing => {
    const given = new AbortController();
    const listing: SharedListing = { keys: [], waiting: new Set(), followers: 0, given, end: undefined };
    const tell = () => {
      for (const wake of listing.waiting) wake();
    };
    const read = async () => {
      try {
        for await (const key of bucket.list(prefix, { signal: given.signal })) {
          listing.keys.push(key);
          tell();
        }
        listing.end = "whole";
      } catch (failure) {
        listing.end = { failure };
      }
      forget(prefix, listing);
      tell();
    };
    underWay.set(prefix, listing);
    void read();
    return listing;
  };

  const forget = (prefix: string, listing: SharedListing) => {
    if (underWay.get(prefix) === listing) underWay.delete(prefix);
  };

  async function* follow(bucket: Bucket, prefix: string, signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    const listing = underWay.get(prefix) ?? begin(bucket, prefix);
    listing.followers++;
    try {
      for (let at = 0; ;) {
        for (let key = listing.keys[at]; key !== undefined; key = listing.keys[at]) {
          yield key;
          signal?.throwIfAborted();
          at++;
        }
        if (listing.end === "whole") return;
        if (listing.end !== undefined) throw listing.end.failure;
        await more(listing, signal);
      }
    } finally {
      listing.followers--;
      if (listing.followers === 0) {
        forget(prefix, listing);
        listing.given.abort();
      }
    }
  }

  return (bucket) => ({
    name: bucket.name,
    put: (key, body, options) => bucket.put(key, body, options),
    get: (key, range, signal) => bucket.get(key, range, signal),
    attributes: (key, signal) => bucket.attributes(key, signal),
    delete: (key, signal) => bucket.delete(key, signal),
    list(prefix, options = {}) {
      const isWhole = options.delimiter === undefined && (options.after ?? "") === "";
      return isWhole ? follow(bucket, prefix, options.signal) : bucket.list(prefix, options);
    },
  });
}

/** Resolves once there may be more; rejects with the reason of the signal. */
function more({ waiting }: SharedListing, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const wake = () => {
      waiting.delete(wake);
      signal?.removeEventListener("abort", wake);
      if (signal?.aborted === true) reject(signal.reason as Error);
      else resolve();
    };
    waiting.add(wake);
    signal?.addEventListener("abort", wake, { once: true });
  });
}
