/**
 * Reads a page of metrics: the Prometheus text format (0.0.4 and 1.0.0) or OpenMetrics 1.0, as Prometheus reads them,
 * which is more leniently than the specifications in all that is not lexical. Grammar and leniencies: README.md.
 *
 * The page is read as bytes. Labels stay text until somebody asks (`decodeSeries`), and a sink that remembers the last
 * page can spare the parser even that text: see `ExpositionSink.recognise`.
 */
import { fail, ok, type Result } from "@pleiad/model";
import type { ExpositionFailure } from "./exposition-failure.ts";
import { readFloat } from "./float-text.ts";
import type { MetricType } from "./series-text.ts";

/** What a page is read into. No method may keep `page`; what was given before a failure is to be thrown away. */
export interface ExpositionSink {
  /**
   * Asked before each series text is read. Where the bytes at `start` begin with a series text that `sample` has been
   * given before, gives the index after it, and the parser goes on from there; else 0. The sink need not look at what
   * follows: the parser checks that the text ends there.
   */
  recognise?(page: Uint8Array, start: number): number;
  /** One sample, in the order of the page. [seriesStart, seriesEnd) is the series text as it stands on the page. */
  sample(
    page: Uint8Array,
    seriesStart: number,
    seriesEnd: number,
    value: number,
    timestampMs: number | undefined,
    type: MetricType, // of the last TYPE line above it
  ): void;
  /**
   * The exemplar of the sample just given, in OpenMetrics. [labelsStart, labelsEnd) is its label list as it stands on the
   * page, for `decodeSeries`; `timestampMs` is its own, if it has one.
   */
  exemplar?(
    page: Uint8Array,
    labelsStart: number,
    labelsEnd: number,
    value: number,
    timestampMs: number | undefined,
  ): void;
  /** What a HELP, TYPE or UNIT line says of a family. Without this method no text is made of such lines. */
  metadata?(field: "help" | "type" | "unit", metric: string, text: string): void;
}

export interface ExpositionLimits {
  readonly bodyBytesMax: number;
  readonly lineBytesMax: number;
  readonly samplesMax: number;
  readonly labelsMax: number; // of one series, without the metric name
  readonly labelNameBytesMax: number; // metric names included
  readonly labelValueBytesMax: number;
}

export const defaultExpositionLimits: ExpositionLimits = {
  bodyBytesMax: 50 << 20,
  lineBytesMax: 1 << 20,
  samplesMax: 1_000_000,
  labelsMax: 64,
  labelNameBytesMax: 1024,
  labelValueBytesMax: 4096,
};

export interface ExpositionStats {
  readonly samples: number;
  readonly exemplars: number;
  readonly families: number; // TYPE lines
}

/**
 * Reads the whole page into `sink`. `contentType` decides the format; a missing or foreign one is a failure, and whoever
 * wants a fallback passes `text/plain`. Ends at the first fault, with its place.
 */
export function parseExposition(
  page: Uint8Array,
  contentType: string | undefined,
  sink: ExpositionSink,
  limits: ExpositionLimits = defaultExpositionLimits,
): Result<ExpositionStats, ExpositionFailure> {
  const mediaType = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType !== "text/plain" && mediaType !== "application/openmetrics-text") {
    return fail({ kind: "content-type", contentType, hint: contentTypeHint(mediaType) });
  }
  if (page.length > limits.bodyBytesMax) {
    return fail({ kind: "limit", of: "body bytes", max: limits.bodyBytesMax, line: 0 });
  }
  return new PageReader(page, sink, limits, mediaType === "application/openmetrics-text").read();
}

function contentTypeHint(mediaType: string | undefined): string | undefined {
  if (mediaType === "text/html") return "looks like HTML";
  if (mediaType === "application/vnd.google.protobuf") return "the protobuf exposition format is not read";
  return undefined;
}

const tab = 0x09;
const lineFeed = 0x0a;
const space = 0x20;
const quote = 0x22;
const hash = 0x23;
const comma = 0x2c;
const equals = 0x3d;
const backslash = 0x5c;
const braceOpen = 0x7b;
const braceClose = 0x7d;
const pageEnd = -1;

/** Classes of bytes: 1 may start a label name, 2 may follow in one, 4 is the colon of metric names. */
const nameClass = Uint8Array.from({ length: 256 }, (_, c) => {
  if ((c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f) return 1 | 2;
  if (c >= 0x30 && c <= 0x39) return 2;
  return c === 0x3a ? 4 : 0;
});

interface TypeText {
  readonly text: string;
  readonly type: MetricType;
}

const asWritten = (types: readonly MetricType[]): TypeText[] => types.map((type) => ({ text: type, type }));

const textTypes: readonly TypeText[] = [
  ...asWritten(["counter", "gauge", "histogram", "summary"]),
  { text: "untyped", type: "unknown" },
];

const openMetricsTypes: readonly TypeText[] = asWritten([
  "counter",
  "gauge",
  "histogram",
  "gaugehistogram",
  "summary",
  "info",
  "stateset",
  "unknown",
]);

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
// In names and messages a byte order mark is seen.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** What a method gives instead of an index once `#failure` is set. */
const failed = -1;

class PageReader {
  readonly #page: Uint8Array;
  readonly #sink: ExpositionSink;
  readonly #limits: ExpositionLimits;
  readonly #openMetrics: boolean;
  /** Start and end of each label name of the series that is being read. */
  readonly #names: number[] = [];
  #type: MetricType = "unknown";
  #samples = 0;
  #exemplars = 0;
  #lastExemplar: { labelsEnd: number; value: number; timestampMs: number | undefined } = {
    labelsEnd: 0,
    value: 0,
    timestampMs: undefined,
  };
  #families = 0;
  #failure: ExpositionFailure | undefined;

  constructor(page: Uint8Array, sink: ExpositionSink, limits: ExpositionLimits, openMetrics: boolean) {
    this.#page = page;
    this.#sink = sink;
    this.#limits = limits;
    this.#openMetrics = openMetrics;
  }

  read(): Result<ExpositionStats, ExpositionFailure> {
    const end = this.#openMetrics ? this.#readOpenMetrics() : this.#readText();
    if (this.#failure !== undefined) return fail(this.#failure);
    if (end === failed) throw new Error("a page ended early without a failure");
    return ok({ samples: this.#samples, exemplars: this.#exemplars, families: this.#families });
  }

  #readText(): number {
    const page = this.#page;
    let at = 0;
    while (at < page.length) {
      const lineStart = at;
      at = this.#afterBlanks(at);
      const c = byteAt(page, at);
      if (c === pageEnd) break;
      if (c === lineFeed) {
        at++;
        continue;
      }
      at = c === hash ? this.#textComment(at) : this.#textSample(at);
      if (at === failed || this.#lineTooLong(lineStart, at)) return failed;
    }
    return at;
  }

  /** From `#` to after the end of the line. Only HELP and TYPE have a form; any other comment is skipped. */
  #textComment(start: number): number {
    const page = this.#page;
    const lineEnd = endOfLine(page, start);
    const keyword = this.#afterBlanks(start + 1);
    const isType = startsWith(page, keyword, "TYPE");
    if (keyword > start + 1 && (isType || startsWith(page, keyword, "HELP"))) {
      const nameStart = this.#afterBlanks(keyword + 4);
      if (nameStart > keyword + 4) {
        const nameEnd = this.#metricName(nameStart);
        if (nameEnd === failed) return failed;
        const c = byteAt(page, nameEnd);
        if (nameEnd < lineEnd && !isBlank(c)) return this.#fail(nameEnd, "a blank after the metric name");
        const textStart = this.#afterBlanks(nameEnd);
        if (this.#familyText(isType, textStart, lineEnd) === failed) return failed;
        this.#tellMetadata(isType ? "type" : "help", nameStart, nameEnd, textStart, lineEnd);
      }
    }
    return lineEnd + 1;
  }

  #textSample(start: number): number {
    const page = this.#page;
    let seriesEnd = this.#sink.recognise?.(page, start) ?? 0;
    let at: number;
    if (seriesEnd > start && this.#endsSeries(seriesEnd)) {
      at = this.#afterBlanks(seriesEnd);
    } else {
      seriesEnd = this.#series(start);
      if (seriesEnd === failed) return failed;
      at = this.#afterBlanks(seriesEnd);
    }
    const valueStart = at;
    let c = byteAt(page, at);
    while (c !== space && c !== lineFeed && c !== tab && c !== pageEnd && c !== braceOpen) c = byteAt(page, ++at);
    const value = readFloat(page, valueStart, at);
    if (value === undefined) return this.#fail(valueStart, "a number as the value");
    at = this.#afterBlanks(at);
    c = byteAt(page, at);
    let timestampMs: number | undefined;
    if (c !== lineFeed && c !== pageEnd) {
      const timestampStart = at;
      timestampMs = 0;
      for (; c >= 0x30 && c <= 0x39; c = byteAt(page, ++at)) timestampMs = timestampMs * 10 + (c - 0x30);
      if (at === timestampStart) return this.#fail(at, "a timestamp in whole milliseconds or the end of the line");
      if (timestampMs >= 2 ** 63) return this.#fail(timestampStart, "a timestamp of 64 bits");
      at = this.#afterBlanks(at);
      c = byteAt(page, at);
      if (c !== lineFeed && c !== pageEnd) return this.#fail(at, "the end of the line after the timestamp");
    }
    return this.#emit(start, seriesEnd, value, timestampMs) ? at + 1 : failed;
  }

  #readOpenMetrics(): number {
    const page = this.#page;
    let at = 0;
    while (at < page.length) {
      const lineStart = at;
      if (startsWith(page, at, "# EOF")) {
        const end = byteAt(page, at + 5) === lineFeed ? at + 6 : at + 5;
        return end === page.length ? end : this.#fail(end, "nothing after # EOF");
      }
      at = byteAt(page, at) === hash ? this.#openMetricsMetadata(at) : this.#openMetricsSample(at);
      if (at === failed || this.#lineTooLong(lineStart, at)) return failed;
    }
    return this.#fail(at, "# EOF as the last line");
  }

  #openMetricsMetadata(start: number): number {
    const page = this.#page;
    const isType = startsWith(page, start, "# TYPE ");
    const isUnit = startsWith(page, start, "# UNIT ");
    if (!isType && !isUnit && !startsWith(page, start, "# HELP ")) {
      return this.#fail(start, "# HELP, # TYPE, # UNIT or # EOF");
    }
    const nameStart = start + 7;
    const nameEnd = this.#metricName(nameStart);
    if (nameEnd === failed) return failed;
    if (byteAt(page, nameEnd) !== space) return this.#fail(nameEnd, "one space after the metric name");
    const lineEnd = endOfLine(page, nameEnd);
    if (lineEnd === page.length) return this.#fail(lineEnd, "# EOF as the last line");
    if (isUnit) {
      if (!this.#unit(nameStart, nameEnd, lineEnd)) return failed;
    } else if (this.#familyText(isType, nameEnd + 1, lineEnd) === failed) return failed;
    this.#tellMetadata(isUnit ? "unit" : isType ? "type" : "help", nameStart, nameEnd, nameEnd + 1, lineEnd);
    return lineEnd + 1;
  }

  /** Of a line that is in order. A type comes as Prometheus calls it, which is not always as it is written. */
  #tellMetadata(
    field: "help" | "type" | "unit",
    nameStart: number,
    nameEnd: number,
    textStart: number,
    lineEnd: number,
  ): void {
    const sink = this.#sink;
    if (sink.metadata === undefined) return;
    const page = this.#page;
    const isQuoted = byteAt(page, nameStart) === quote;
    const name = isQuoted
      ? unescapeText(utf8.decode(page.subarray(nameStart + 1, nameEnd - 1)), true)
      : utf8.decode(page.subarray(nameStart, nameEnd));
    const text =
      field === "type"
        ? this.#type
        : unescapeText(utf8.decode(page.subarray(Math.min(textStart, lineEnd), lineEnd)), this.#openMetrics);
    sink.metadata(field, name, text);
  }

  #unit(nameStart: number, nameEnd: number, lineEnd: number): boolean {
    const unit = utf8.decode(this.#page.subarray(nameEnd + 1, lineEnd));
    const quoted = byteAt(this.#page, nameStart) === quote ? 1 : 0;
    const name = utf8.decode(this.#page.subarray(nameStart + quoted, nameEnd - quoted));
    if (unit === "" || name.endsWith(`_${unit}`)) return true;
    this.#fail(nameEnd + 1, `a unit that the metric name ${name} ends with`, "rest");
    return false;
  }

  #openMetricsSample(start: number): number {
    const page = this.#page;
    let seriesEnd = this.#sink.recognise?.(page, start) ?? 0;
    if (seriesEnd <= start || !this.#endsSeries(seriesEnd)) {
      seriesEnd = this.#series(start);
      if (seriesEnd === failed) return failed;
    }
    if (byteAt(page, seriesEnd) !== space) return this.#fail(seriesEnd, "one space before the value");
    let at = this.#wordEnd(seriesEnd + 1);
    const value = readFloat(page, seriesEnd + 1, at);
    if (value === undefined) return this.#fail(seriesEnd + 1, "a number as the value");
    let timestampMs: number | undefined;
    if (byteAt(page, at) === space && !startsWith(page, at, " # {")) {
      timestampMs = this.#secondsAsMs(at + 1);
      if (timestampMs === undefined) return failed;
      at = this.#wordEnd(at + 1);
    }
    let exemplarStart: number | undefined;
    if (startsWith(page, at, " # {")) {
      exemplarStart = at + 3;
      at = this.#exemplar(exemplarStart);
      if (at === failed) return failed;
    }
    if (byteAt(page, at) !== lineFeed) {
      if (at === page.length) return this.#fail(at, "# EOF as the last line");
      return this.#fail(
        at,
        timestampMs === undefined ? "a timestamp, an exemplar or the end of the line" : "the end of the line",
      );
    }
    if (!this.#emit(start, seriesEnd, value, timestampMs)) return failed;
    if (exemplarStart !== undefined) {
      const { labelsEnd, value: exemplarValue, timestampMs: exemplarMs } = this.#lastExemplar;
      this.#sink.exemplar?.(page, exemplarStart, labelsEnd, exemplarValue, exemplarMs);
    }
    return at + 1;
  }

  /** Reads `{labels} value [timestamp]` into `#lastExemplar`. */
  #exemplar(start: number): number {
    const page = this.#page;
    this.#names.length = 0;
    const labelsEnd = this.#labels(start, "exemplar");
    if (labelsEnd === failed) return failed;
    if (byteAt(page, labelsEnd) !== space) return this.#fail(labelsEnd, "one space before the exemplar's value");
    let at = this.#wordEnd(labelsEnd + 1);
    const value = readFloat(page, labelsEnd + 1, at);
    if (value === undefined) return this.#fail(labelsEnd + 1, "a number as the exemplar's value");
    let timestampMs: number | undefined;
    if (byteAt(page, at) === space) {
      timestampMs = this.#secondsAsMs(at + 1);
      if (timestampMs === undefined) return failed;
      at = this.#wordEnd(at + 1);
    }
    this.#exemplars++;
    this.#lastExemplar = { labelsEnd, value, timestampMs };
    return at;
  }

  #secondsAsMs(start: number): number | undefined {
    const seconds = readFloat(this.#page, start, this.#wordEnd(start));
    if (seconds === undefined || !Number.isFinite(seconds)) {
      this.#fail(start, "a timestamp in seconds");
      return undefined;
    }
    return Math.trunc(seconds * 1000);
  }

  #emit(seriesStart: number, seriesEnd: number, value: number, timestampMs: number | undefined): boolean {
    if (++this.#samples > this.#limits.samplesMax) {
      this.#failLimit("samples", this.#limits.samplesMax, 0);
      return false;
    }
    this.#sink.sample(this.#page, seriesStart, seriesEnd, value, timestampMs, this.#type);
    return true;
  }

  /** The text of a HELP or TYPE line: [start, lineEnd). */
  #familyText(isType: boolean, start: number, lineEnd: number): number {
    if (!isType) return this.#validUtf8(start, lineEnd) ? lineEnd : this.#fail(start, "help text in UTF-8");
    const types = this.#openMetrics ? openMetricsTypes : textTypes;
    let end = lineEnd;
    while (!this.#openMetrics && end > start && isBlank(byteAt(this.#page, end - 1))) end--;
    // Neither a view nor a text is made: a page may have as many families as samples.
    let found: TypeText | undefined;
    for (const one of types) {
      if (one.text.length === end - start && startsWith(this.#page, start, one.text)) found = one;
    }
    if (found === undefined) {
      return this.#fail(start, `a metric type (${types.map(({ text }) => text).join(", ")})`, "rest");
    }
    this.#type = found.type;
    this.#families++;
    return lineEnd;
  }

  /** Whether a recognised series text ends at `at`, and does not merely start like a longer one. */
  #endsSeries(at: number): boolean {
    if (byteAt(this.#page, at - 1) === braceClose) return true;
    return isBlank(byteAt(this.#page, at)) && byteAt(this.#page, this.#afterBlanks(at)) !== braceOpen;
  }

  /** The end of the series text that starts here: `name`, `name{…}`, or `{"name", …}`. */
  #series(start: number): number {
    const page = this.#page;
    this.#names.length = 0;
    if (byteAt(page, start) === braceOpen) return this.#labels(start, "name inside");
    const nameEnd = this.#bareMetricName(start);
    if (nameEnd === failed) return failed;
    const at = this.#openMetrics ? nameEnd : this.#afterBlanks(nameEnd);
    return byteAt(page, at) === braceOpen ? this.#labels(at, "name before") : nameEnd;
  }

  /** A metric name on a metadata line: bare or quoted. */
  #metricName(start: number): number {
    return byteAt(this.#page, start) === quote ? this.#quoted(start, "label name bytes") : this.#bareMetricName(start);
  }

  #bareMetricName(start: number): number {
    const page = this.#page;
    let at = start;
    if (((nameClass[byteAt(page, at)] ?? 0) & 5) === 0) return this.#fail(start, "a metric name");
    while ((nameClass[byteAt(page, at)] ?? 0) !== 0) at++;
    return this.#within("label name bytes", this.#limits.labelNameBytesMax, at - start, start) ? at : failed;
  }

  /** The index after the `}` of the label list that opens at `start`. */
  #labels(start: number, of: "name before" | "name inside" | "exemplar"): number {
    const page = this.#page;
    const lenient = !this.#openMetrics;
    let named = of !== "name inside";
    let count = 0;
    let at = lenient ? this.#afterBlanks(start + 1) : start + 1;
    for (;;) {
      const c = byteAt(page, at);
      if (c === braceClose) break;
      const nameStart = at;
      if (c === quote) {
        at = this.#quoted(at, "label name bytes");
        if (at === failed) return failed;
      } else if (((nameClass[c] ?? 0) & 1) !== 0) {
        while (((nameClass[byteAt(page, at)] ?? 0) & 2) !== 0) at++;
      } else {
        return this.#fail(at, count === 0 ? "a label name or }" : "a label name, or } at the end of the labels");
      }
      const nameEnd = at;
      if (lenient) at = this.#afterBlanks(at);
      const after = byteAt(page, at);
      if (c === quote && (after === comma || after === braceClose)) {
        if (of === "exemplar") return this.#fail(at, "= after the label name");
        if (named) return this.#fail(nameStart, "no second metric name");
        named = true;
        if (after === comma) at++;
        if (lenient) at = this.#afterBlanks(at);
        continue;
      }
      if (after !== equals) return this.#fail(at, "= after the label name");
      at = lenient ? this.#afterBlanks(at + 1) : at + 1;
      if (byteAt(page, at) !== quote) return this.#fail(at, "a label value in double quotes");
      if (!this.#newLabel(nameStart, nameEnd, ++count)) return failed;
      at = this.#quoted(at, "label value bytes");
      if (at === failed) return failed;
      if (lenient) at = this.#afterBlanks(at);
      if (byteAt(page, at) === comma) {
        at = lenient ? this.#afterBlanks(at + 1) : at + 1;
      } else if (!lenient && byteAt(page, at) !== braceClose) {
        return this.#fail(at, "a comma or }");
      }
    }
    return named ? at + 1 : this.#fail(start, "a metric name, before the braces or quoted inside them");
  }

  /** Notes a label name; false where the series has it already or the limits forbid it. */
  #newLabel(start: number, end: number, count: number): boolean {
    const page = this.#page;
    const names = this.#names;
    if (!this.#within("labels", this.#limits.labelsMax, count, start)) return false;
    if (!this.#within("label name bytes", this.#limits.labelNameBytesMax, end - start, start)) return false;
    let repeated = end - start === 8 && startsWith(page, start, "__name__");
    for (let i = 0; i < names.length && !repeated; i += 2) {
      const other = names[i] ?? 0;
      repeated = (names[i + 1] ?? 0) - other === end - start && sameBytes(page, other, start, end - start);
    }
    if (repeated) {
      this.#fail(start, "each label name once");
      return false;
    }
    names.push(start, end);
    return true;
  }

  /** The index after the closing quote of the text in quotes that opens at `start`. */
  #quoted(start: number, limit: "label name bytes" | "label value bytes"): number {
    const page = this.#page;
    const strict = this.#openMetrics;
    let at = start + 1;
    let bits = 0;
    for (;;) {
      let c = byteAt(page, at);
      if (c === quote) break;
      if (c === backslash) c = byteAt(page, ++at);
      if (c === pageEnd || (strict && c === lineFeed)) return this.#fail(Math.min(at, page.length), "a closing quote");
      bits |= c;
      at++;
    }
    const max = limit === "label name bytes" ? this.#limits.labelNameBytesMax : this.#limits.labelValueBytesMax;
    if (!this.#within(limit, max, at - start - 1, start)) return failed;
    if (bits >= 0x80 && !this.#validUtf8(start + 1, at)) return this.#fail(start, "text in UTF-8");
    return at + 1;
  }

  #validUtf8(start: number, end: number): boolean {
    const page = this.#page;
    let bits = 0;
    for (let at = start; at < end; at++) bits |= page[at] ?? 0;
    if (bits < 0x80) return true;
    try {
      strictUtf8.decode(page.subarray(start, end));
      return true;
    } catch {
      return false;
    }
  }

  #afterBlanks(start: number): number {
    let at = start;
    while (isBlank(byteAt(this.#page, at))) at++;
    return at;
  }

  /** The end of a run of bytes without space and line feed. */
  #wordEnd(start: number): number {
    let at = start;
    for (let c = byteAt(this.#page, at); c !== space && c !== lineFeed && c !== pageEnd;) c = byteAt(this.#page, ++at);
    return at;
  }

  #lineTooLong(lineStart: number, nextLine: number): boolean {
    return !this.#within("line bytes", this.#limits.lineBytesMax, nextLine - 1 - lineStart, lineStart);
  }

  #within(of: Extract<ExpositionFailure, { kind: "limit" }>["of"], max: number, found: number, at: number): boolean {
    if (found <= max) return true;
    this.#failLimit(of, max, lineOf(this.#page, at));
    return false;
  }

  #failLimit(of: Extract<ExpositionFailure, { kind: "limit" }>["of"], max: number, line: number): void {
    this.#failure = { kind: "limit", of, max, line };
  }

  #fail(at: number, expected: string, found: "word" | "rest" = "word"): typeof failed {
    const page = this.#page;
    const lineStart = page.subarray(0, at).lastIndexOf(lineFeed) + 1;
    const column = characterCount(page, lineStart, at) + 1;
    const line = lineOf(page, at);
    this.#failure = {
      kind: "syntax",
      line,
      column,
      expected,
      found: foundAt(page, at, found),
      hint: hintFor(page, at),
    };
    return failed;
  }
}

function byteAt(page: Uint8Array, at: number): number {
  return at < page.length ? (page[at] ?? pageEnd) : pageEnd;
}

function isBlank(c: number): boolean {
  return c === space || c === tab;
}

function startsWith(page: Uint8Array, at: number, ascii: string): boolean {
  for (let i = 0; i < ascii.length; i++) if (byteAt(page, at + i) !== ascii.charCodeAt(i)) return false;
  return true;
}

function sameBytes(page: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (page[a + i] !== page[b + i]) return false;
  return true;
}

/** Of UTF-8 bytes; counted in place, since a line may be as long as the page. */
function characterCount(page: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) if (((page[at] ?? 0) & 0xc0) !== 0x80) count++;
  return count;
}

/** The index of the line's line feed, or the end of the page. */
function endOfLine(page: Uint8Array, start: number): number {
  const found = page.indexOf(lineFeed, start);
  return found < 0 ? page.length : found;
}

function lineOf(page: Uint8Array, at: number): number {
  let line = 1;
  for (let i = page.indexOf(lineFeed); i >= 0 && i < at; i = page.indexOf(lineFeed, i + 1)) line++;
  return line;
}

/** The word at a place (or the rest of the line), quoted and cut to 32 characters. */
function foundAt(page: Uint8Array, at: number, of: "word" | "rest"): string {
  if (at >= page.length) return "end of page";
  if (page[at] === lineFeed) return "end of line";
  const rest = utf8.decode(page.subarray(at, Math.min(endOfLine(page, at), at + 128)));
  const word = of === "rest" ? rest : (/^(?:[ \t]+|[^ ]+)/.exec(rest)?.[0] ?? rest);
  const characters = Array.from(word);
  return JSON.stringify(characters.length > 32 ? `${characters.slice(0, 32).join("")}…` : word);
}

function hintFor(page: Uint8Array, at: number): string | undefined {
  if (/^\s*<(?:!doctype|html|head|body|\?xml)/i.test(utf8.decode(page.subarray(0, 256)))) return "looks like HTML";
  const line = page.subarray(at, endOfLine(page, at));
  return line.at(-1) === 0x0d ? "the line ends in a carriage return" : undefined;
}

/** Of a help text or a quoted name: in the text format of help, a quote needs no backslash, and has none taken away. */
function unescapeText(text: string, hasQuotes: boolean): string {
  if (!text.includes("\\")) return text;
  return text.replace(hasQuotes ? /\\[\\n"]/g : /\\[\\n]/g, (escaped) => (escaped === "\\n" ? "\n" : escaped.slice(1)));
}
