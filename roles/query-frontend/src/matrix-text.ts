/**
 * Answers of range queries as their own text: a series is its labels and the characters of its samples. No sample becomes
 * an object, and what is merged or kept has the very bytes that the querier wrote.
 */
import { fail, labelsFromPairs, ok, type Labels, type Result } from "@pleiad/model";
import type { StepGrid } from "./step-grid.ts";

export interface SeriesText {
  readonly labels: Labels;
  readonly metric: string; // the JSON object of the labels, as it came
  readonly floats: string; // `[t,"v"],[t,"v"]`; "" where there are none
  readonly histograms: string; // `[t,{…}],[t,{…}]`
}

export interface RangeAnswer {
  readonly series: readonly SeriesText[];
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly stats: unknown; // undefined where there are none
}

/**
 * Reads the whole envelope of a successful answer. The failure says what is not as expected: among that, samples that are
 * out of order or not on the steps that were asked for.
 */
export function readRangeAnswer(text: string, grid: StepGrid): Result<RangeAnswer, string> {
  return readWhole(text, (cursor) => {
    let series: readonly SeriesText[] | undefined;
    let stats: unknown;
    const remarks: { warnings?: readonly string[]; infos?: readonly string[] } = {};
    let status: unknown;
    cursor.fields((name) => {
      if (name === "status") status = cursor.json();
      else if (name === "warnings" || name === "infos") remarks[name] = textsOf(cursor.json());
      else if (name !== "data") cursor.skip();
      else {
        cursor.fields((field) => {
          if (field === "result") series = readSeries(cursor, grid);
          else if (field === "stats") stats = cursor.json();
          else if (field !== "resultType") cursor.skip();
          else if (cursor.json() !== "matrix") throw new AnswerFault("the result is no matrix");
        });
      }
    });
    if (status !== "success") throw new AnswerFault("the status is not success");
    if (series === undefined) throw new AnswerFault("there is no result");
    return { series, warnings: remarks.warnings ?? [], infos: remarks.infos ?? [], stats };
  });
}

/** Reads the `result` of such an answer alone. */
export function readMatrix(text: string, grid: StepGrid): Result<readonly SeriesText[], string> {
  return readWhole(text, (cursor) => readSeries(cursor, grid));
}

/** The JSON of one series, as Prometheus's API writes it. */
export function seriesJson({ metric, floats, histograms }: SeriesText): string {
  let text = `{"metric":${metric}`;
  if (floats !== "") text += `,"values":[${floats}]`;
  if (histograms !== "") text += `,"histograms":[${histograms}]`;
  return `${text}}`;
}

/** The series with their samples of `fromMs` to `toMs`, both included; those that have none are left out. */
export function sliceSeries(series: readonly SeriesText[], fromMs: number, toMs: number): readonly SeriesText[] {
  const sliced: SeriesText[] = [];
  for (const one of series) {
    const floats = sliceSamples(one.floats, "],[", fromMs, toMs);
    const histograms = sliceSamples(one.histograms, "}],[", fromMs, toMs);
    if (floats !== "" || histograms !== "") sliced.push({ ...one, floats, histograms });
  }
  return sliced;
}

/** `boundary` stands between two samples and nowhere else; the next sample begins at its last character. */
function sliceSamples(text: string, boundary: string, fromMs: number, toMs: number): string {
  if (text === "") return text;
  let from = 0;
  while (timeAt(text, from) < fromMs) {
    const at = text.indexOf(boundary, from);
    if (at < 0) return "";
    from = at + boundary.length - 1;
  }
  let end = text.length;
  for (;;) {
    const at = text.lastIndexOf(boundary, end - boundary.length - 1);
    const last = at < 0 ? 0 : at + boundary.length - 1;
    if (last < from) return "";
    if (timeAt(text, last) <= toMs) return text.slice(from, end);
    if (at < 0) return "";
    end = at + boundary.length - 2;
  }
}

/** Of the sample whose `[` is at `at`. */
function timeAt(text: string, at: number): number {
  return Math.round(Number(text.slice(at + 1, text.indexOf(",", at))) * 1000);
}

class AnswerFault extends Error {}

function readWhole<T>(text: string, read: (cursor: JsonCursor) => T): Result<T, string> {
  const cursor = new JsonCursor(text);
  try {
    const value = read(cursor);
    cursor.expectEnd();
    return ok(value);
  } catch (error) {
    // What JSON.parse throws of a piece is a fault of the answer too.
    if (error instanceof AnswerFault || error instanceof SyntaxError) return fail(error.message);
    throw error;
  }
}

function readSeries(cursor: JsonCursor, grid: StepGrid): readonly SeriesText[] {
  const series: SeriesText[] = [];
  cursor.items(() => {
    let metric: string | undefined;
    let floats = "";
    let histograms = "";
    cursor.fields((name) => {
      if (name === "metric") metric = cursor.skip();
      else if (name === "values") floats = cursor.samples('"', '"]', grid);
      else if (name === "histograms") histograms = cursor.samples("{", "}]", grid);
      else throw new AnswerFault(`a series has ${JSON.stringify(name)}`);
    });
    if (metric === undefined) throw new AnswerFault("a series has no labels");
    series.push({ labels: labelsOf(JSON.parse(metric)), metric, floats, histograms });
  });
  return series;
}

function labelsOf(value: unknown): Labels {
  if (typeof value !== "object" || value === null) throw new AnswerFault("the labels of a series are no object");
  return labelsFromPairs(
    Object.entries(value).map(([name, text]: [string, unknown]) => {
      if (typeof text !== "string") throw new AnswerFault(`the label ${JSON.stringify(name)} is no text`);
      return [name, text] as const;
    }),
  );
}

function textsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new AnswerFault("the remarks are no list");
  return value.map(String);
}

/** A place in a JSON text. What it does not find where it must be is an AnswerFault. */
class JsonCursor {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Calls `read` with the name of each field; it must take the value. */
  fields(read: (name: string) => void): void {
    this.#list("{", "}", () => {
      const name: unknown = this.json();
      this.#expect(":");
      read(String(name));
    });
  }

  /** Calls `read` at each item of an array; it must take the item. */
  items(read: () => void): void {
    this.#list("[", "]", read);
  }

  /** The next value. */
  json(): unknown {
    return JSON.parse(this.skip());
  }

  /** The text of the next value. */
  skip(): string {
    this.#space();
    const from = this.#at;
    const first = this.#text[from];
    if (first === '"') this.#string();
    else if (first === "{" || first === "[") this.#nested();
    else while (this.#at < this.#text.length && !/[\s,:[\]{}"]/.test(this.#text[this.#at] ?? "")) this.#at++;
    if (this.#at === from) throw this.#fault("a value");
    return this.#text.slice(from, this.#at);
  }

  /** The text of the samples in an array, each `[time,` with a value that begins and ends as given. */
  samples(valueStart: string, valueEnd: string, { startMs, endMs, stepMs }: StepGrid): string {
    this.#expect("[");
    const text = this.#text;
    const from = this.#at;
    let lastMs = -Infinity;
    if (text[from] === "]") throw this.#fault("a sample");
    for (let at = from; ; at++) {
      const comma = text.indexOf(",", at);
      const end =
        comma < 0 || text[at] !== "[" || text[comma + 1] !== valueStart ? -1 : text.indexOf(valueEnd, comma + 2);
      this.#at = at;
      if (end < 0) throw this.#fault("a sample");
      const timeMs = Math.round(Number(text.slice(at + 1, comma)) * 1000);
      // Written so that a time that is no number fails too.
      if (!(timeMs > lastMs && timeMs >= startMs && timeMs <= endMs && (timeMs - startMs) % stepMs === 0)) {
        throw new AnswerFault(`there is a sample at ${text.slice(at + 1, comma)}, which is no step in its place`);
      }
      lastMs = timeMs;
      at = end + valueEnd.length;
      if (text[at] === ",") continue;
      this.#at = at;
      this.#expect("]");
      return text.slice(from, at);
    }
  }

  expectEnd(): void {
    this.#space();
    if (this.#at < this.#text.length) throw this.#fault("the end");
  }

  #list(open: string, close: string, read: () => void): void {
    this.#expect(open);
    this.#space();
    if (this.#text[this.#at] === close) {
      this.#at++;
      return;
    }
    for (;;) {
      read();
      this.#space();
      if (this.#text[this.#at] === close) break;
      this.#expect(",");
    }
    this.#at++;
  }

  #nested(): void {
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at];
      if (character === '"') {
        this.#string();
        this.#at--;
      } else if (character === "{" || character === "[") depth++;
      else if ((character === "}" || character === "]") && --depth === 0) break;
    }
    this.#expect(this.#text[this.#at] === "]" ? "]" : "}");
  }

  #string(): void {
    for (this.#at++; ; this.#at++) {
      const character = this.#text[this.#at];
      if (character === undefined) throw this.#fault("the end of a text");
      if (character === "\\") this.#at++;
      else if (character === '"') break;
    }
    this.#at++;
  }

  #expect(character: string): void {
    this.#space();
    if (this.#text[this.#at] !== character) throw this.#fault(character);
    this.#at++;
  }

  #space(): void {
    while (/[ \n\r\t]/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #fault(expected: string): AnswerFault {
    return new AnswerFault(`expected ${expected} at character ${this.#at}`);
  }
}
