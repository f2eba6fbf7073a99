/** How processes of Pleiad use memory: settings of V8, which runs them, and of glibc, whose memory it does not count. */

/**
 * Half of the space for new objects. Node's own bound is four times as much, which every process takes after its first
 * large query and keeps: with a dozen processes a gibibyte. Queries are no slower for it.
 */
const semiSpaceFlag = "--max-semi-space-size=16";

/**
 * Settings that can also be made while a process runs, with `v8.setFlagsFromString`.
 *
 * - What a cache keeps and what lives for one question is made at the same places. After the cache was filled, V8 would make both
 *   among old objects, where the garbage of many questions gathers: a third more memory.
 * - V8 walks the whole heap whenever 32 MiB came outside of it, which buffers of sockets do in a few seconds, though nearly all of
 *   them are dead and gone with the next collection of new objects. Counted together with the heap they wait for its limit.
 * - That limit is half more than what lives. V8's own is down to a tenth for a process that has little to do but much to keep, as
 *   scraping has: it would spend most of its time on the same living objects.
 */
export const collectionFlags = [
  "--no-allocation-site-pretenuring",
  "--external-memory-accounted-in-global-limit",
  "--heap-growing-percent=50",
] as const;

/** Arguments of Node for a process that serves, before its main module. */
export const memoryFlags: readonly string[] = [semiSpaceFlag, ...collectionFlags];

/**
 * Environment for glibc, which else keeps what large queries freed: its bound above which a buffer is given back at once grows with
 * the buffers that are freed, and each thread has an arena of its own. Buffers of the size that sockets are read into, and
 * larger ones, go back to the system.
 */
export const mallocSettings = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: String(64 << 10),
  MALLOC_TRIM_THRESHOLD_: String(1 << 20),
} as const;
