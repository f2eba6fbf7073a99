/**
 * Where pages lie while they are read, a moment each. Hundreds of kilobytes come every few milliseconds; as garbage they would
 * make the collector walk the whole heap about once a second, since memory outside of it is what hurries it most.
 */

const roomBytesMin = 64 * 1024;
/** A longer page gets an array that goes with it. */
const keptBytesMax = 4 * 1024 * 1024;
/** A page is read as soon as it is there: there are rarely two. */
const keptMax = 2;

const kept: Uint8Array[] = [];

/** At least so many bytes, whatever is in them. Whoever takes it hands it back with `leavePageRoom`, or just forgets it. */
export function takePageRoom(bytes: number): Uint8Array {
  const fit = kept.findIndex((room) => room.length >= bytes);
  const [room] = fit < 0 ? [] : kept.splice(fit, 1);
  return (
    room ?? new Uint8Array(bytes > keptBytesMax ? bytes : Math.max(roomBytesMin, 2 ** Math.ceil(Math.log2(bytes))))
  );
}

/** The room is the next page's: nobody may look at it any more. */
export function leavePageRoom(room: Uint8Array): void {
  if (room.length > keptBytesMax) return;
  kept.push(room);
  // The shortest goes: what is left fits more pages.
  if (kept.length > keptMax) kept.sort((a, b) => b.length - a.length).pop();
}
