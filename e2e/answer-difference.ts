/** Asks two servers of Prometheus's HTTP API the same, and says in a line where their answers differ. */

/** A question to `/api/v1`. Parameters may be repeated; by GET they stand in the URL, behind those of `path`. */
export interface ApiQuestion {
  readonly path: string; // below /api/v1/
  readonly parameters: readonly (readonly [name: string, value: string])[];
  readonly method?: "GET" | "POST";
}

export interface ApiReply {
  readonly status: number;
  readonly text: string;
  readonly body: unknown; // parsed; undefined where it is no JSON
}

export async function askApi(url: string, { path, parameters, method = "GET" }: ApiQuestion): Promise<ApiReply> {
  const form = new URLSearchParams();
  for (const [name, value] of parameters) form.append(name, value);
  const query = method === "GET" && form.size > 0 ? `?${form.toString()}` : "";
  const response = await fetch(`${url}/api/v1/${path}${query}`, { method, body: method === "POST" ? form : null });
  const text = await response.text();
  return { status: response.status, text, body: parseJson(text) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Values may differ by this share of the larger one, and zeros in their sign: a compensated sum has no -0. */
const relativeMax = 1e-9;

/** Where `ours` and `theirs` differ; undefined where they do not. Texts of errors are not compared, their types are. */
export function differenceOf(ours: ApiReply, theirs: ApiReply, order: "any" | "given"): string | undefined {
  if (ours.status !== theirs.status)
    return `status ${ours.status} and ${theirs.status}: ${brief(ours)}, ${brief(theirs)}`;
  const [left, right] = [asRecord(ours.body), asRecord(theirs.body)];
  for (const field of ["status", "errorType"] as const) {
    if (left[field] !== right[field]) return `${field}: ${brief(ours)}, ${brief(theirs)}`;
  }
  if (left["status"] !== "success") return undefined;
  return differenceOfData(left["data"], right["data"], order);
}

function differenceOfData(ours: unknown, theirs: unknown, order: "any" | "given"): string | undefined {
  const [left, right] = [asRecord(ours), asRecord(theirs)];
  const type = same("resultType", left["resultType"], right["resultType"]);
  if (type !== undefined) return type;
  const [mine, yours] = [left["result"], right["result"]];
  switch (right["resultType"]) {
    case "vector":
    case "matrix":
      return differenceOfSeries(mine as readonly ResultSeries[], yours as readonly ResultSeries[], order);
    case "scalar":
      return differenceOfSamples("the scalar", [mine as Sample], [yours as Sample]);
    default:
      return same("data", ours, theirs);
  }
}

type Sample = readonly [seconds: number, value: string];

interface ResultSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Sample;
  readonly values?: readonly Sample[];
}

function samplesOf({ value, values }: ResultSeries): readonly Sample[] {
  return values ?? (value === undefined ? [] : [value]);
}

function differenceOfSeries(
  ours: readonly ResultSeries[],
  theirs: readonly ResultSeries[],
  order: "any" | "given",
): string | undefined {
  const [mine, yours] = [inOrder(ours, order), inOrder(theirs, order)];
  const namesOf = (series: readonly ResultSeries[]) => series.map(({ metric }) => labelsText(metric));
  const names = same("series", namesOf(mine), namesOf(yours));
  if (names !== undefined) return names;
  for (const [i, one] of mine.entries()) {
    const other = yours[i];
    if (other === undefined) continue;
    const found = differenceOfSamples(labelsText(one.metric), samplesOf(one), samplesOf(other));
    if (found !== undefined) return found;
  }
  return undefined;
}

function inOrder(series: readonly ResultSeries[], order: "any" | "given"): readonly ResultSeries[] {
  if (order === "given") return series;
  return [...series].sort((a, b) => (labelsText(a.metric) < labelsText(b.metric) ? -1 : 1));
}

function differenceOfSamples(where: string, ours: readonly Sample[], theirs: readonly Sample[]): string | undefined {
  const timesOf = (samples: readonly Sample[]) => samples.map(([time]) => time);
  const times = same(`times of ${where}`, timesOf(ours), timesOf(theirs));
  if (times !== undefined) return times;
  for (const [i, [time, value]] of ours.entries()) {
    const expected = theirs[i]?.[1] ?? "";
    if (!isClose(value, expected)) return `value of ${where} at ${time}: ${value}, ${expected}`;
  }
  return undefined;
}

function isClose(ours: string, theirs: string): boolean {
  if (ours === theirs) return true;
  const [left, right] = [Number(ours), Number(theirs)];
  return Math.abs(left - right) <= relativeMax * Math.max(Math.abs(left), Math.abs(right));
}

function same(what: string, ours: unknown, theirs: unknown): string | undefined {
  const [left, right] = [JSON.stringify(ours), JSON.stringify(theirs)];
  if (left === right) return undefined;
  // From shortly before the first character that differs.
  let at = 0;
  while (left[at] === right[at]) at++;
  const from = Math.max(0, at - 60);
  return `${what}: …${left.slice(from, from + 200)}, …${right.slice(from, from + 200)}`;
}

function labelsText(metric: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function brief({ text }: ApiReply): string {
  return text.slice(0, 200);
}
