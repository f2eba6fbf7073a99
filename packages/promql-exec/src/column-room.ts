/**
 * Columns of many series in few buffers: a typed array with memory of its own is dear to the collector, which looks at all
 * of the heap after so many bytes outside of it.
 */

const roomMin = 256;
const roomMax = 128 * 1024;

/** Gives columns of a length that is told, all zero; each belongs to the caller, who keeps the memory of its neighbours. */
export function createColumnRoom(): (length: number) => Float64Array {
  let room = new Float64Array(0);
  let used = 0;
  let next = roomMin;
  return (length) => {
    if (used + length > room.length) {
      room = new Float64Array(Math.max(length, next));
      used = 0;
      next = Math.min(2 * next, roomMax);
    }
    const column = room.subarray(used, used + length);
    used += length;
    return column;
  };
}
