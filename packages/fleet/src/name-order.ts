import { compareText } from "@pleiad/model";

/** The order of names as people count: `node-2` before `node-10`, `cluster-7` before `cluster-07` where numbers tie. */
export function compareNames(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const aEnd = digitsEnd(a, i);
    const bEnd = digitsEnd(b, j);
    if (aEnd > i && bEnd > j) {
      const x = a.slice(i, aEnd).replace(/^0+(?=\d)/, "");
      const y = b.slice(j, bEnd).replace(/^0+(?=\d)/, "");
      // By length first: the numbers may have more digits than a double holds.
      if (x !== y) return x.length - y.length || compareText(x, y);
      i = aEnd;
      j = bEnd;
    } else {
      if (a[i] !== b[j]) return compareText(a, b);
      i++;
      j++;
    }
  }
  return a.length - i - (b.length - j) || compareText(a, b);
}

function digitsEnd(text: string, from: number): number {
  let end = from;
  while (end < text.length && text.charCodeAt(end) >= 0x30 && text.charCodeAt(end) <= 0x39) end++;
  return end;
}

/** The known name within two edits of a mistyped one, the nearest, the first by text among equals. */
export function nearestName(mistyped: string, known: readonly string[]): string | undefined {
  if (mistyped.length > 64) return undefined;
  let nearest: string | undefined;
  // Two edits turn any two letters into any others: short names allow one.
  let nearestDistance = mistyped.length <= 3 ? 2 : 3;
  for (const name of [...known].sort(compareText)) {
    const distance = editDistance(mistyped.toLowerCase(), name.toLowerCase());
    if (distance < nearestDistance) {
      nearest = name;
      nearestDistance = distance;
    }
  }
  return nearest;
}

/** The hint for a mistyped name; undefined where nothing is near. */
export function didYouMean(mistyped: string, known: readonly string[]): string | undefined {
  const nearest = nearestName(mistyped, known);
  return nearest === undefined ? undefined : `did you mean ${JSON.stringify(nearest)}?`;
}

/** Levenshtein's, a swap of neighbours counting as one edit. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
