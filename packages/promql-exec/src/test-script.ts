/**
 * Prometheus's language for test scripts, read into commands: what to load, what to ask, what to expect. Only reads;
 * `test-script-runner.ts` runs them.
 */
import {
  fail,
  labelsFromPairs,
  ok,
  parseDuration,
  parseFloatText,
  metricNameLabel,
  type Labels,
  type Result,
} from "@pleiad/model";

/** One position of a series: a value, a staleness marker, a native histogram, or nothing. */
export type ScriptValue = number | "stale" | "histogram" | undefined;

export interface ScriptSeries {
  readonly labels: Labels;
  readonly values: readonly ScriptValue[];
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
    // Start timestamps are not stored by float chunks: their lines are left out.
    const series = block.filter((one) => !/@st\s/.test(one.text)).map(parseSeries);
    return { kind: "load", line, stepMs, withNativeHistograms: load[1] !== undefined, series };
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

/** `metric{a="b"} item item …` */
function parseSeries({ text, line }: NumberedLine): ScriptSeries {
  const { labels, rest } = parseMetric(text, line);
  const values: ScriptValue[] = [];
  for (const item of splitItems(rest)) values.push(...parseItem(item, line));
  return { labels, values, line };
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
  if (item.startsWith("{{")) return repeated("histogram", 1 + Number(/x(\d+)$/.exec(item)?.[1] ?? 0));
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

function repeated(value: ScriptValue, count: number): readonly ScriptValue[] {
  return Array.from({ length: count }, () => value);
}

function durationMs(text: string, line: number): number {
  const negative = text.startsWith("-");
  const duration = parseDuration(negative ? text.slice(1) : text);
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
