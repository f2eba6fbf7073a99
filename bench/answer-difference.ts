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

export interface AnswerDifference {
  /** Series, points or items that only one of them has: none may be. */
  readonly structure: string | undefined;
  readonly points: number;
  readonly differingPoints: number;
  readonly example: string | undefined;
}

/** Sums are added in another order by each. */
const relativeMax = 1e-9;

/** How our answer differs from theirs. */
export function differenceOf(ours: Buffer, theirs: Buffer): AnswerDifference {
  const [a, b] = [parse(ours), parse(theirs)];
  const different = (structure: string) => ({ structure, points: 0, differingPoints: 0, example: undefined });
  if (a === undefined || b === undefined) return different("too long to compare");
  if (isList(a.data) || isList(b.data)) {
    if (!isList(a.data) || !isList(b.data)) return different("one is a list");
    const keys = new Set(a.data.map(keyOf));
    const missing = b.data.filter((item) => !keys.has(keyOf(item)));
    if (missing.length > 0 || a.data.length !== b.data.length) {
      return different(
        `${String(a.data.length)} items for ${String(b.data.length)}: ${missing.slice(0, 2).map(keyOf).join(", ")}`,
      );
    }
    return { structure: undefined, points: a.data.length, differingPoints: 0, example: undefined };
  }
  const rows = new Map(a.data.result.map((row) => [keyOf(row.metric), row]));
  if (rows.size !== b.data.result.length) {
    return different(`${String(rows.size)} series for ${String(b.data.result.length)}`);
  }
  let points = 0;
  let differingPoints = 0;
  let example: string | undefined;
  for (const theirRow of b.data.result) {
    const ourRow = rows.get(keyOf(theirRow.metric));
    if (ourRow === undefined) return different(`no series ${keyOf(theirRow.metric)}`);
    const [ourPoints, theirPoints] = [pointsOf(ourRow), pointsOf(theirRow)];
    if (ourPoints.length !== theirPoints.length) {
      return different(
        `${String(ourPoints.length)} points for ${String(theirPoints.length)} of ${keyOf(theirRow.metric)}`,
      );
    }
    for (let i = 0; i < theirPoints.length; i++) {
      const [ourTime, ourValue] = ourPoints[i] ?? [NaN, ""];
      const [theirTime, theirValue] = theirPoints[i] ?? [NaN, ""];
      if (ourTime !== theirTime) return different(`a point at ${String(ourTime)} for ${String(theirTime)}`);
      points++;
      if (ourValue === theirValue || isNear(ourValue, theirValue)) continue;
      differingPoints++;
      example ??= `${ourValue} for ${theirValue} at ${String(theirTime)} of ${keyOf(theirRow.metric)}`;
    }
  }
  return { structure: undefined, points, differingPoints, example };
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

function isNear(ours: string, theirs: string): boolean {
  const [a, b] = [Number(ours), Number(theirs)];
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  return Math.abs(a - b) <= relativeMax * Math.max(Math.abs(a), Math.abs(b));
}
