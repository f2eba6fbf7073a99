/** Numbers and texts as Prometheus spells them in JSON. Its API has two encoders, and clients see the difference. */
/** A sample's time: seconds, with exactly three decimals where the millisecond part is not zero. */
export function formatTimestamp(timestampMs: number): string {
  // In whole milliseconds: a division would print 1435781451.7809999 for some.
  const magnitude = Math.abs(timestampMs);
  const fraction = magnitude % 1000;
  const seconds = (magnitude - fraction) / 1000;
  const sign = timestampMs < 0 ? "-" : "";
  if (fraction === 0) return `${sign}${seconds}`;
  return `${sign}${seconds}.${fraction < 10 ? "00" : fraction < 100 ? "0" : ""}${fraction}`;
}

/** The time of a scalar or string result: the shortest decimal of the seconds. */
export function formatScalarTime(timestampMs: number): string {
  return String(timestampMs / 1000);
}

const htmlCharacters = /[<>&\u2028\u2029]/g;

/** JSON of plain data, safe inside HTML: `<` is written `\u003c`. The encoder of everything but series. */
export function quoteJson(data: unknown): string {
  return JSON.stringify(data).replace(
    htmlCharacters,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
