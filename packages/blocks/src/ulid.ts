/** The names of blocks: 26 letters that sort by the time of their making. */
import type { Random } from "@pleiad/ports";

const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const timeDigits = 10;
const chanceDigits = 16;
const timeMsMax = 2 ** 48 - 1;

/** A new name: `timeMs` and 80 bits of chance, in Crockford's base 32. */
export function newUlid(timeMs: number, random: Random): string {
  if (!Number.isInteger(timeMs) || timeMs < 0 || timeMs > timeMsMax)
    throw new RangeError(`no time for a ULID: ${timeMs}`);
  let text = "";
  for (let rest = timeMs, i = 0; i < timeDigits; i++) {
    text = `${digits[rest % 32]}${text}`;
    rest = Math.floor(rest / 32);
  }
  for (let i = 0; i < chanceDigits; i++) text += digits[random.int(32)];
  return text;
}

export function isUlid(text: string): boolean {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);
}

/** When the name was made; NaN for what is no ULID. */
export function ulidTimeMs(ulid: string): number {
  if (!isUlid(ulid)) return NaN;
  let timeMs = 0;
  for (let i = 0; i < timeDigits; i++) timeMs = timeMs * 32 + digits.indexOf(ulid.charAt(i));
  return timeMs;
}
