/**
 * Where chunks that take samples lie. A head has one for each series, of a hundred bytes or so: an array of its own for each
 * would cost more than what is in it. So they lie side by side in larger pages, each in a slot of one of a few lengths.
 * A page is nobody's: it goes when the last chunk in it has gone. What a chunk that grows leaves is given to the next one.
 */

/** Bytes [start, end) of `page`, whatever is in them. */
export interface OpenChunkRoom {
  readonly page: Uint8Array;
  readonly start: number;
  readonly end: number;
}

const slotLengths = [64, 96, 128, 192, 256, 384, 512, 768, 1024] as const;
/** The longest slot. */
export const slotBytesMax: number = slotLengths[slotLengths.length - 1];

const pageBytes = 16 * 1024;
/** What was left behind keeps its pages: not more than this of each length. */
const leftMax = 1024;

interface SlotClass {
  readonly length: number;
  page: Uint8Array;
  /** Where the next slot of the page begins; there is none where it would go past the end. */
  next: number;
  readonly left: OpenChunkRoom[];
}

const classes: readonly SlotClass[] = slotLengths.map((length) => {
  return { length, page: new Uint8Array(0), next: 0, left: [] };
});

/** Room for at least so many bytes. Beyond the longest slot it is an array of its own. */
export function takeRoom(bytes: number): OpenChunkRoom {
  const slots = classes.find(({ length }) => length >= bytes);
  if (slots === undefined) return { page: new Uint8Array(bytes), start: 0, end: bytes };
  const left = slots.left.pop();
  if (left !== undefined) return left;
  if (slots.next + slots.length > slots.page.length) {
    slots.page = new Uint8Array(pageBytes);
    slots.next = 0;
  }
  const start = slots.next;
  slots.next = start + slots.length;
  return { page: slots.page, start, end: slots.next };
}

/** Gives room back, for others to write into. Whoever just forgets it does no harm. */
export function leaveRoom(room: OpenChunkRoom): void {
  const length = room.end - room.start;
  const slots = classes.find((one) => one.length === length);
  if (slots !== undefined && slots.left.length < leftMax) slots.left.push(room);
}
