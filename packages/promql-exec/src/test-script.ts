/**
 * Prometheus's language for test scripts, read into commands: what to load, what to ask, what to expect. Only reads;
 * `test-script-runner.ts` runs them.
 */
import {
  addHistograms,
  fail,
  labelsEqual,
  labelsFromPairs,
  ok,
  parseDuration,
  parseFloatText,
  metricNameLabel,
  subtractHistograms,
  type FloatHistogram,
  type Labels,
  type Result,
} from "@pleiad/model";

export interface ScriptHistogram {
  readonly histogram: FloatHistogram;
  /** Whether the script spells out the counter-reset hint: only then is it compared. */
  readonly isHintGiven: boolean;
}

/** One position of a series: a value, a staleness marker, a native histogram, or nothing. */
export type ScriptValue = number | "stale" | ScriptHistogram | undefined;

export interface ScriptSeries {
  readonly labels: Labels;
  readonly values: readonly ScriptValue[];
  /** How long before its own time each sample began to count, as a time relative to it; undefined where not known. */
  readonly startsMs: readonly (number | undefined)[] | undefined;
  readonly line: number;
}

export interface AnnotationExpectation {
  readonly level: "fail" | "warn" | "info" | "no_warn" | "no_info";
  readonly matches: (text: string) => boolean;
}

export interface EvalCommand {
  readonly kind: "eval";
  readonly line: number;
  readonly query: string;
  /** An instant query has one time, and step 0. */
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly ordered: boolean;
  readonly annotations: readonly AnnotationExpectation[];
  readonly result:
    | { readonly kind: "series"; readonly series: readonly ScriptSeries[] }
    | { readonly kind: "scalar"; readonly value: number }
    | { readonly kind: "string"; readonly value: string }
    | {
        readonly kind: "range-vector";
        readonly series: readonly ScriptSeries[];
        readonly startMs: number;
        readonly stepMs: number;
      };
}

export type ScriptCommand =
  | { readonly kind: "clear"; readonly line: number }
  | {
      readonly kind: "load";
      readonly line: number;
      readonly stepMs: number;
      /** Whether classic histograms are to be stored as native ones as well. */
      readonly withNativeHistograms: boolean;
      readonly series: readonly ScriptSeries[];
    }
  | EvalCommand;

export interface ScriptFailure {
  readonly line: number;
  readonly reason: string;
}

/** Reads a whole script, or says which line is none. */
export function parseTestScript(text: string): Result<readonly ScriptCommand[], ScriptFailure> {
  const lines = text.split("\n").map((line) => (line.trim().startsWith("#") ? "" : line.trim()));
  const commands: ScriptCommand[] = [];
  let at = 0;
  try {
    while (at < lines.length) {
      if (lines[at] === "") {
        at++;
        continue;
      }
      const block: NumberedLine[] = [];
      const head = { text: lines[at], line: at + 1 };
      for (at++; at < lines.length && lines[at] !== ""; at++) {
        // A command ends the block of the one before, blank line or not.
        if (/^(?:clear|load|load_with_nhcb|eval(?:_\w+)?)\s|^clear$/i.test(lines[at])) break;
        block.push({ text: lines[at], line: at + 1 });
      }
      commands.push(parseCommand(head, block));
    }
  } catch (error) {
    if (error instanceof ScriptError) return fail({ line: error.line, reason: error.message });
    throw error;
  }
  return ok(commands);
}

interface NumberedLine {
  readonly text: string;
  readonly line: number;
}

/** Leaves the reading of a script; caught by `parseTestScript` alone. */
class ScriptError extends Error {
  readonly line: number;

  constructor(line: number, reason: string) {
    super(reason);
    this.line = line;
  }
}

function parseCommand(head: NumberedLine, block: readonly NumberedLine[]): ScriptCommand {
  const { text, line } = head;
  if (/^clear$/i.test(text)) return { kind: "clear", line };
  const load = /^load(_with_nhcb)?\s+(\S+)$/i.exec(text);
  if (load !== null) {
    const stepMs = durationMs(load[2], line);
    return { kind: "load", line, stepMs, withNativeHistograms: load[1] !== undefined, series: parseLoad(block) };
  }
  const instant = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/i.exec(text);
  if (instant !== null) {
    const timeMs = durationMs(instant[2] ?? "0", line);
    return parseEval(head, block, instant[1], instant[3], { startMs: timeMs, endMs: timeMs, stepMs: 0 });
  }
  const range = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/i.exec(text);
  if (range !== null) {
    return parseEval(head, block, range[1], range[5], {
      startMs: durationMs(range[2], line),
      endMs: durationMs(range[3], line),
      stepMs: durationMs(range[4], line),
    });
  }
  throw new ScriptError(line, `not a command: ${text}`);
}

function parseEval(
  { line }: NumberedLine,
  block: readonly NumberedLine[],
  suffix: string | undefined,
  query: string,
  times: Pick<EvalCommand, "startMs" | "endMs" | "stepMs">,
): EvalCommand {
  const annotations: AnnotationExpectation[] = [];
  const series: ScriptSeries[] = [];
  let ordered = suffix === "ordered";
  if (suffix === "fail" || suffix === "warn" || suffix === "info") annotations.push(anyText(suffix));
  let result: EvalCommand["result"] = { kind: "series", series };
  for (const one of block) {
    const { text } = one;
    const expectation = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/.exec(text);
    const rangeVector = /^expect\s+range\s+vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$/.exec(text);
    const string = /^expect\s+string\s+(.+)$/.exec(text);
    const failure = /^expected_fail_(message|regexp)\s+(.+)$/.exec(text);
    if (expectation !== null) {
      const [, what, form, wanted = ""] = expectation;
      if (what === "ordered") ordered = true;
      else annotations.push(annotationExpectation(what as AnnotationExpectation["level"], form, wanted.trim()));
    } else if (rangeVector !== null) {
      const [startMs, , stepMs] = rangeVector.slice(1).map((duration) => durationMs(duration, one.line));
      result = { kind: "range-vector", series, startMs, stepMs };
    } else if (string !== null) {
      result = { kind: "string", value: unquote(string[1].trim(), one.line) };
    } else if (failure !== null) {
      annotations.push(annotationExpectation("fail", failure[1] === "message" ? "msg" : "regex", failure[2].trim()));
    } else {
      const scalar = parseFloatText(text);
      if (scalar !== undefined) result = { kind: "scalar", value: scalar };
      else series.push(parseSeries(one));
    }
  }
  return { kind: "eval", line, query, ...times, ordered, annotations, result };
}

function anyText(level: AnnotationExpectation["level"]): AnnotationExpectation {
  return { level, matches: () => true };
}

function annotationExpectation(
  level: AnnotationExpectation["level"],
  form: string | undefined,
  wanted: string,
): AnnotationExpectation {
  if (form === undefined) return anyText(level);
  if (form === "msg") return { level, matches: (text) => text === wanted };
  const pattern = new RegExp(wanted);
  return { level, matches: (text) => pattern.test(text) };
}

/** Lines of series, each with a line of start timestamps before it or not: `metric{a="b"}@st duration duration …` */
function parseLoad(block: readonly NumberedLine[]): readonly ScriptSeries[] {
  const series: ScriptSeries[] = [];
  let starts: { readonly labels: Labels; readonly startsMs: readonly (number | undefined)[] } | undefined;
  for (const { text, line } of block) {
    const { labels, rest } = parseMetric(text, line);
    if (rest.startsWith("@st")) {
      starts = { labels, startsMs: splitItems(rest.slice("@st".length)).flatMap((item) => parseStart(item, line)) };
      continue;
    }
    const one = parseSeries({ text, line });
    if (starts !== undefined && !labelsEqual(starts.labels, labels)) {
      throw new ScriptError(line, "start timestamps of another series");
    }
    if (starts !== undefined && starts.startsMs.length !== one.values.length) {
      throw new ScriptError(line, `${starts.startsMs.length} start timestamps for ${one.values.length} samples`);
    }
    series.push({ ...one, startsMs: starts?.startsMs });
    starts = undefined;
  }
  return series;
}

/** `metric{a="b"} item item …` */
function parseSeries({ text, line }: NumberedLine): ScriptSeries {
  const { labels, rest } = parseMetric(text, line);
  const values: ScriptValue[] = [];
  for (const item of splitItems(rest)) values.push(...parseItem(item, line));
  return { labels, values, startsMs: undefined, line };
}

function parseMetric(text: string, line: number): { readonly labels: Labels; readonly rest: string } {
  const pairs: (readonly [string, string])[] = [];
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(text)?.[0] ?? "";
  if (name !== "") pairs.push([metricNameLabel, name]);
  let at = name.length;
  if (text[at] !== "{") {
    if (name === "") throw new ScriptError(line, `not a series: ${text}`);
    return { labels: labelsFromPairs(pairs), rest: text.slice(at) };
  }
  at++;
  const quoted = `"(?:[^"\\\\]|\\\\.)*"|'(?:[^'\\\\]|\\\\.)*'|\`[^\`]*\``;
  const pair = new RegExp(`\\s*([a-zA-Z_][\\w.]*|${quoted})\\s*(?:=\\s*(${quoted}))?\\s*(,|(?=\\}))`, "y");
  for (;;) {
    const blanks = /\s*\}/y;
    blanks.lastIndex = at;
    if (blanks.test(text)) return { labels: labelsFromPairs(pairs), rest: text.slice(blanks.lastIndex) };
    pair.lastIndex = at;
    const found = pair.exec(text);
    if (found === null) throw new ScriptError(line, `not a label at ${text.slice(at)}`);
    const [, key, value] = found;
    const plainKey = /^["'`]/.test(key) ? unquote(key, line) : key;
    pairs.push(value === undefined ? [metricNameLabel, plainKey] : [plainKey, unquote(value, line)]);
    at = pair.lastIndex;
  }
}

/** Splits at blanks, but keeps a histogram literal in one piece. */
function splitItems(text: string): readonly string[] {
  return text.match(/(?:\{\{.*?\}\}|[^\s{])+/g) ?? [];
}

/** `a`, `axN`, `a+bxN`, `a-bxN`. Not hexadecimal: there, `0x3` is three more zeros. */
const numberPattern = String.raw`[+-]?(?:inf|nan|[\d.]+(?:e[+-]?\d+)?)`;
const sequencePattern = new RegExp(`^(${numberPattern})(?:([+-])(${numberPattern}))?(?:x(\\d+))?$`, "i");

function parseItem(item: string, line: number): readonly ScriptValue[] {
  if (item === "stale") return ["stale"];
  const omitted = /^_(?:x(\d+))?$/.exec(item);
  if (omitted !== null) return repeated(undefined, Number(omitted[1] ?? 1));
  if (item.startsWith("{{")) return parseHistograms(item, line);
  const [, first, sign, increment, count] = sequencePattern.exec(item) ?? [];
  const start = parseFloatText(first ?? "");
  const step = increment === undefined ? 0 : parseFloatText(increment);
  if (start === undefined || step === undefined) throw new ScriptError(line, `not a value: ${item}`);
  const values: number[] = [start];
  // By repeated addition, as the language has it: the roundings are part of the test.
  for (let i = 0; i < Number(count ?? 0); i++) {
    const last = values[values.length - 1];
    values.push(increment === undefined ? last : sign === "-" ? last - step : last + step);
  }
  return values;
}

const startPattern = /^([+-]?[\da-z]*?[\da-wyz])(?:([+-])([\da-z]*?[\da-wyz]))?(?:x(\d+))?$/;

/** `_`, `_xN`, `dur`, `durxN`, `dur+durxN`, `dur-durxN`, the durations relative to each sample's own time. */
function parseStart(item: string, line: number): readonly (number | undefined)[] {
  const omitted = /^_(?:x(\d+))?$/.exec(item);
  if (omitted !== null) return Array.from({ length: Number(omitted[1] ?? 1) }, () => undefined);
  const [, first, sign, increment, count] = startPattern.exec(item) ?? [];
  if (first === undefined) throw new ScriptError(line, `not a start timestamp: ${item}`);
  const startMs = durationMs(first, line);
  const stepMs = increment === undefined ? 0 : durationMs(sign + increment, line);
  return Array.from({ length: 1 + Number(count ?? 0) }, (_, i) => startMs + i * stepMs);
}

/** `{{…}}`, `{{…}}xN`, `{{…}}+{{…}}xN`, `{{…}}-{{…}}xN`: one histogram, or one more than the count says. */
function parseHistograms(item: string, line: number): readonly ScriptHistogram[] {
  const [, first, sign, increment, count] = /^(\{\{.*?\}\})(?:([+-])(\{\{.*?\}\}))?(?:x(\d+))?$/.exec(item) ?? [];
  if (first === undefined) throw new ScriptError(line, `not a native histogram: ${item}`);
  const base = parseHistogram(first, line);
  const times = Number(count ?? 0);
  if (increment === undefined) return Array.from({ length: times + 1 }, () => base);
  const added = parseHistogram(increment, line);
  const { isHintGiven } = added;
  const histograms: ScriptHistogram[] = [{ ...base, isHintGiven }];
  let { histogram } = base;
  for (let i = 0; i < times; i++) {
    if (histogram.schema > added.histogram.schema) {
      throw new ScriptError(line, "the first histogram has a finer schema than the one that is added to it");
    }
    const combine = sign === "-" ? subtractHistograms : addHistograms;
    const combined = combine(histogram, added.histogram);
    if (combined === undefined) throw new ScriptError(line, `histograms that do not add up: ${item}`);
    ({ histogram } = combined);
    histograms.push({ histogram, isHintGiven });
  }
  return histograms;
}

const hints: Readonly<Record<string, FloatHistogram["counterReset"]>> = {
  unknown: "unknown",
  reset: "reset",
  not_reset: "not-reset",
  gauge: "gauge",
};

/** `{{schema:1 sum:2 buckets:[1 2]}}`: what is not given is zero, and nothing is made up from the rest. */
function parseHistogram(text: string, line: number): ScriptHistogram {
  const fields = new Map<string, string>();
  for (const [, name, value] of text.slice(2, -2).matchAll(/(\w+):(\[[^\]]*\]|\S+)/g)) fields.set(name, value);
  const number = (name: string) => {
    const value = parseFloatText(fields.get(name) ?? "0");
    if (value === undefined) throw new ScriptError(line, `not a number: ${name} of ${text}`);
    return value;
  };
  const numbers = (name: string) => {
    const items = (fields.get(name) ?? "[]").slice(1, -1).trim();
    const values = items === "" ? [] : items.split(/\s+/).map((item) => parseFloatText(item) ?? NaN);
    return Float64Array.from(values);
  };
  const spansOf = (buckets: Float64Array, offset: number) =>
    buckets.length === 0 ? [] : [{ offset, length: buckets.length }];
  const hint = fields.get("counter_reset_hint");
  const counterReset = hint === undefined ? "unknown" : hints[hint];
  if (counterReset === undefined) throw new ScriptError(line, `not a counter-reset hint: ${hint}`);
  const positiveBuckets = numbers("buckets");
  const negativeBuckets = numbers("n_buckets");
  const histogram: FloatHistogram = {
    schema: number("schema"),
    zeroThreshold: number("z_bucket_w"),
    zeroCount: number("z_bucket"),
    count: number("count"),
    sum: number("sum"),
    positiveSpans: spansOf(positiveBuckets, number("offset")),
    positiveBuckets,
    negativeSpans: spansOf(negativeBuckets, number("n_offset")),
    negativeBuckets,
    customBounds: numbers("custom_values"),
    counterReset,
  };
  return { histogram, isHintGiven: hint !== undefined };
}

function repeated(value: ScriptValue, count: number): readonly ScriptValue[] {
  return Array.from({ length: count }, () => value);
}

function durationMs(text: string, line: number): number {
  const negative = text.startsWith("-");
  const duration = parseDuration(text.replace(/^[+-]/, ""));
  if (duration.ok) return negative ? -duration.value : duration.value;
  throw new ScriptError(line, duration.failure);
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\", '"': '"', "'": "'" };

function unquote(text: string, line: number): string {
  const quote = text[0];
  const body = text.slice(1, -1);
  if (quote === "`") return body;
  if (quote !== '"' && quote !== "'") throw new ScriptError(line, `not a quoted text: ${text}`);
  return body.replace(/\\(?:x([\da-f]{2})|u([\da-f]{4})|(.))/gi, (_, byte?: string, unit?: string, other?: string) => {
    const code = byte ?? unit;
    if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
    return escapes[other ?? ""] ?? other ?? "";
  });
}
