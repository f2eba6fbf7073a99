/** Whether two engines answered the same: a faster wrong answer is worth nothing. */

interface Answer {
  readonly status: string;
  readonly data: readonly unknown[] | { readonly result: readonly Row[] };
}

interface Row {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

const textMax = 400 * 1024 * 1024;

/** What an answer holds, in short: series and points, or items. */
export function sizeOf(body: Buffer): string {
  const answer = parse(body);
  if (answer === undefined) return "?";
  if (isList(answer.data)) return `${String(answer.data.length)} items`;
  const rows = answer.data.result;
  const points = rows.reduce((sum, row) => sum + (row.values?.length ?? 1), 0);
  return `${String(rows.length)} × ${String(rows.length === 0 ? 0 : Math.round(points / rows.length))}`;
}

/** Says how `ours` differs from `theirs`; undefined if it does not, numbers being equal to `relativeMax`. */
export function differenceOf(ours: Buffer, theirs: Buffer, relativeMax: number): string | undefined {
  const [a, b] = [parse(ours), parse(theirs)];
  if (a === undefined || b === undefined) return "too long to compare";
  if (isList(a.data) || isList(b.data)) {
    if (!isList(a.data) || !isList(b.data)) return "one is a list";
    const keys = new Set(a.data.map(keyOf));
    const missing = b.data.filter((item) => !keys.has(keyOf(item)));
    if (missing.length === 0 && a.data.length === b.data.length) return undefined;
    return `${String(a.data.length)} items for ${String(b.data.length)}, without ${missing.slice(0, 2).map(keyOf).join(", ")}`;
  }
  const rows = new Map(a.data.result.map((row) => [keyOf(row.metric), row]));
  if (rows.size !== b.data.result.length) {
    return `${String(rows.size)} series for ${String(b.data.result.length)}`;
  }
  for (const theirRow of b.data.result) {
    const ourRow = rows.get(keyOf(theirRow.metric));
    if (ourRow === undefined) return `no series ${keyOf(theirRow.metric)}`;
    const [ourPoints, theirPoints] = [pointsOf(ourRow), pointsOf(theirRow)];
    if (ourPoints.length !== theirPoints.length) {
      return `${String(ourPoints.length)} points for ${String(theirPoints.length)} of ${keyOf(theirRow.metric)}`;
    }
    for (let i = 0; i < theirPoints.length; i++) {
      const [ourTime, ourValue] = ourPoints[i] ?? [NaN, ""];
      const [theirTime, theirValue] = theirPoints[i] ?? [NaN, ""];
      if (ourTime === theirTime && (ourValue === theirValue || isNear(ourValue, theirValue, relativeMax))) continue;
      return `${ourValue} at ${String(ourTime)} for ${theirValue} at ${String(theirTime)} of ${keyOf(theirRow.metric)}`;
    }
  }
  return undefined;
}

function parse(body: Buffer): Answer | undefined {
  return body.length > textMax ? undefined : (JSON.parse(body.toString("utf8")) as Answer);
}

const isList = (data: Answer["data"]): data is readonly unknown[] => Array.isArray(data);

function keyOf(item: unknown): string {
  if (typeof item !== "object" || item === null) return String(item);
  return JSON.stringify(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const pointsOf = (row: Row) => row.values ?? (row.value === undefined ? [] : [row.value]);

function isNear(ours: string, theirs: string, relativeMax: number): boolean {
  const [a, b] = [Number(ours), Number(theirs)];
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  return Math.abs(a - b) <= relativeMax * Math.max(Math.abs(a), Math.abs(b));
}
