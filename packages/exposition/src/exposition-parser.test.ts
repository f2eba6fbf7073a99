import { formatLabels } from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { formatExpositionFailure } from "./exposition-failure.ts";
import { defaultExpositionLimits, parseExposition, type ExpositionLimits } from "./exposition-parser.ts";
import { decodeSeries } from "./series-text.ts";

const textType = "text/plain; version=0.0.4; charset=utf-8";
const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** The samples of a page, one a line as `series value [timestamp]`, or the message of the failure. */
function readPage(
  page: string | Uint8Array,
  contentType: string | undefined = textType,
  limits: ExpositionLimits = defaultExpositionLimits,
): readonly string[] | string {
  const samples: string[] = [];
  const bytes = typeof page === "string" ? new TextEncoder().encode(page) : page;
  const parsed = parseExposition(
    bytes,
    contentType,
    {
      sample: (bytes, start, end, value, timestampMs, type) => {
        const series = formatLabels(decodeSeries(bytes, start, end, type));
        samples.push(
          `${series} ${Object.is(value, -0) ? "-0" : value}${timestampMs === undefined ? "" : ` ${timestampMs}`}`,
        );
      },
    },
    limits,
  );
  return parsed.ok ? samples : formatExpositionFailure(parsed.failure);
}

describe("the text format accepts", () => {
  for (const [rule, page, samples] of [
    ["a bare name", "up 1\n", ["up 1"]],
    ["a last line without its line feed", "up 1", ["up 1"]],
    ["an empty page", "", []],
    ["blank lines and comments", "\n  \n# note\n#note\n# HELPless\n# HELP\nup 1\n", ["up 1"]],
    ["labels, in any order", 'a{c="3",b="2"} 1\n', ['a{b="2", c="3"} 1']],
    ["blanks between all tokens", ' a \t { b = "2" , c = "3" , } \t1 \t2 \n', ['a{b="2", c="3"} 1 2']],
    ["an empty label list", "a{} 1\n", ["a 1"]],
    ["one comma after the last label", 'a{b="2",} 1\n', ['a{b="2"} 1']],
    ["no comma between labels", 'a{b="2" c="3"} 1\n', ['a{b="2", c="3"} 1']],
    ["no blank before the value", 'a{b="2"}1\n', ['a{b="2"} 1']],
    ["colons in metric names", "a:b:c 1\n", ["a:b:c 1"]],
    ["an empty label value, which is no label", 'a{b="",c="3"} 1\n', ['a{c="3"} 1']],
    ["braces, commas and hashes in values", 'a{b="{x=1},# "} 1\n', ['a{b="{x=1},# "} 1']],
    ["escapes", String.raw`a{b="q\" s\\ n\n"} 1`, [String.raw`a{b="q\" s\\ n\n"} 1`]],
    ["an unknown escape, kept as it is", String.raw`a{b="\x"} 1`, [String.raw`a{b="\\x"} 1`]],
    ["a line feed inside a value", 'a{b="1\n2"} 1\n', [String.raw`a{b="1\n2"} 1`]],
    ["NUL inside a value", 'a{b="1\u00002"} 1\n', ['a{b="1\u00002"} 1']],
    ["UTF-8 in values", 'a{b="ü\u{1f600}\ufeff"} 1\n', ['a{b="ü\u{1f600}\ufeff"} 1']],
    ["a quoted metric name", '{"my.metric",b="2"} 1\n', ['{"my.metric", b="2"} 1']],
    ["a quoted metric name alone", '{"my.metric"} 1\n', ['{"my.metric"} 1']],
    ["a quoted metric name after labels", '{b="2","my.metric"} 1\n', ['{"my.metric", b="2"} 1']],
    ["quoted label names", 'a{"b.c"="2"} 1\n', ['a{"b.c"="2"} 1']],
    [
      "quoted names on metadata",
      '# TYPE "my.metric" gauge\n# HELP "my.metric" x\n{"my.metric"} 1\n',
      ['{"my.metric"} 1'],
    ],
    ["a label called __proto__", 'a{__proto__="1",constructor="2"} 1\n', ['a{__proto__="1", constructor="2"} 1']],
    [
      "values of every kind",
      "a +Inf\na -Inf\na NaN\na -0\na 1e-400\n",
      ["a Infinity", "a -Infinity", "a NaN", "a -0", "a 0"],
    ],
    ["a timestamp", "a 1 1395066363000\n", ["a 1 1395066363000"]],
    ["the same series twice", "a 1\na 2\n", ["a 1", "a 2"]],
    ["a type given twice", "# TYPE a gauge\n# TYPE a counter\na 1\n", ["a 1"]],
    [
      "bounds in one spelling, in histograms only",
      '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_bucket{le="x"} 1\n# TYPE g gauge\ng{le="1"} 1\n',
      ['h_bucket{le="1.0"} 1', 'h_bucket{le="+Inf"} 1', 'h_bucket{le="x"} 1', 'g{le="1"} 1'],
    ],
    ["quantiles in one spelling", '# TYPE s summary\ns{quantile="1"} 1\n', ['s{quantile="1.0"} 1']],
  ] as const) {
    it(rule, () => expect(readPage(page)).toEqual(samples));
  }
});

describe("the text format refuses", () => {
  for (const [rule, page, message] of [
    [
      "a page of one long line, without much ado",
      `a{${" ".repeat(4_000_000)}!`,
      'line 1, column 4000003: expected a label name or }, found "!"',
    ],
    ["a name that starts with a digit", "a 1\n1abc 2\n", 'line 2, column 1: expected a metric name, found "1abc"'],
    ["a name with a dot", "a.b 1\n", 'line 1, column 2: expected a number as the value, found ".b"'],
    [
      "braces without a name",
      "{} 1\n",
      'line 1, column 1: expected a metric name, before the braces or quoted inside them, found "{}"',
    ],
    ["two names", 'a{"b"} 1\n', 'line 1, column 3: expected no second metric name, found "\\"b\\"}"'],
    ["no value", "a\n", "line 1, column 2: expected a number as the value, found end of line"],
    ["no value at the end of the page", "a", "line 1, column 2: expected a number as the value, found end of page"],
    ["a word as value", "a one\n", 'line 1, column 3: expected a number as the value, found "one"'],
    ["a hexadecimal value", "a 0x1p3\n", 'line 1, column 3: expected a number as the value, found "0x1p3"'],
    ["a digit separator", "a 1_000\n", 'line 1, column 3: expected a number as the value, found "1_000"'],
    ["a value out of range", "a 1e400\n", 'line 1, column 3: expected a number as the value, found "1e400"'],
    [
      "a timestamp below zero",
      "a 1 -1\n",
      'line 1, column 5: expected a timestamp in whole milliseconds or the end of the line, found "-1"',
    ],
    [
      "a fraction in a timestamp",
      "a 1 1.5\n",
      'line 1, column 6: expected the end of the line after the timestamp, found ".5"',
    ],
    [
      "a timestamp over 64 bits",
      "a 1 9223372036854775808\n",
      'line 1, column 5: expected a timestamp of 64 bits, found "9223372036854775808"',
    ],
    [
      "a word after the timestamp",
      "a 1 2 3\n",
      'line 1, column 7: expected the end of the line after the timestamp, found "3"',
    ],
    [
      "an exemplar",
      'a 1 # {b="c"} 1\n',
      'line 1, column 5: expected a timestamp in whole milliseconds or the end of the line, found "#"',
    ],
    ["no equals sign", 'a{b"c"} 1\n', 'line 1, column 4: expected = after the label name, found "\\"c\\"}"'],
    ["a value without quotes", "a{b=c} 1\n", 'line 1, column 5: expected a label value in double quotes, found "c}"'],
    [
      "a label name with a colon",
      'a{b:c="d"} 1\n',
      'line 1, column 4: expected = after the label name, found ":c=\\"d\\"}"',
    ],
    ["a comma alone", "a{,} 1\n", 'line 1, column 3: expected a label name or }, found ",}"'],
    [
      "labels that never end",
      'a{b="c",\n',
      "line 1, column 9: expected a label name, or } at the end of the labels, found end of line",
    ],
    ["a quote that never closes", 'a{b="c} 1\n', "line 2, column 1: expected a closing quote, found end of page"],
    ["a label twice", 'a{b="1",b="2"} 1\n', 'line 1, column 9: expected each label name once, found "b=\\"2\\"}"'],
    [
      "the metric name as a label",
      'a{__name__="b"} 1\n',
      'line 1, column 3: expected each label name once, found "__name__=\\"b\\"}"',
    ],
    [
      "a type that is none",
      "# TYPE a counters\n",
      'line 1, column 10: expected a metric type (counter, gauge, histogram, summary, untyped), found "counters"',
    ],
    ["metadata without a name", "# HELP \n", "line 1, column 8: expected a metric name, found end of line"],
    [
      "a name run into the next word",
      "# TYPE a{} counter\n",
      'line 1, column 9: expected a blank after the metric name, found "{}"',
    ],
    ["NUL outside of a value", "\u0000a 1\n", 'line 1, column 1: expected a metric name, found "\\u0000a"'],
    ["a byte order mark", "\ufeffa 1\n", 'line 1, column 1: expected a metric name, found "\ufeffa"'],
    [
      "carriage returns, with a hint",
      "a 1\r\n",
      'line 1, column 3: expected a number as the value, found "1\\r" (the line ends in a carriage return)',
    ],
    [
      "a login page, with a hint",
      "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
      'line 1, column 1: expected a metric name, found "<!DOCTYPE" (looks like HTML)',
    ],
    [
      "a long word, cut in the message",
      `${"é".repeat(40)} 1\n`,
      `line 1, column 1: expected a metric name, found "${"é".repeat(32)}…"`,
    ],
  ] as const) {
    it(rule, () => expect(readPage(page)).toBe(message));
  }

  it("text that is not UTF-8", () => {
    const page = Uint8Array.from(
      [...new TextEncoder().encode('a 1\na{b="')].concat(0xff, ...new TextEncoder().encode('"} 1\n')),
    );
    expect(readPage(page)).toBe('line 2, column 5: expected text in UTF-8, found "\\"\ufffd\\"}"');
  });

  it("help that is not UTF-8", () => {
    const page = Uint8Array.from([...new TextEncoder().encode("# HELP a "), 0xc3, 0x28, 0x0a]);
    expect(readPage(page)).toMatch(/^line 1, column 10: expected help text in UTF-8/);
  });
});

describe("OpenMetrics", () => {
  for (const [rule, page, samples] of [
    ["needs the last line", "a 1\n# EOF\n", ["a 1"]],
    ["does without the last line feed", "a 1\n# EOF", ["a 1"]],
    ["has timestamps in seconds", "a 1 1.5\n# EOF\n", ["a 1 1500"]],
    ["has timestamps below zero", "a 1 -0.0015\n# EOF\n", ["a 1 -1"]],
    ["has exemplars, which are no samples", 'a_total 1 2 # {t="x"} 0.5 3.5\n# EOF\n', ["a_total 1 2000"]],
    ["has created lines, which are series", "a_total 1\na_created 2\n# EOF\n", ["a_total 1", "a_created 2"]],
    ["has units", "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n", ["a_seconds 1"]],
    ["has quoted names", '# TYPE "a.b" gauge\n{"a.b","c.d"="e"} 1\n# EOF\n', ['{"a.b", "c.d"="e"} 1']],
    [
      "has bounds in one spelling",
      '# TYPE h histogram\nh_bucket{le="2"} 1\n# TYPE g gaugehistogram\ng_bucket{le="2"} 1\n# EOF\n',
      ['h_bucket{le="2.0"} 1', 'g_bucket{le="2"} 1'],
    ],
  ] as const) {
    it(rule, () => expect(readPage(page, openMetricsType)).toEqual(samples));
  }

  for (const [rule, page, message] of [
    ["no last line", "a 1\n", "line 2, column 1: expected # EOF as the last line, found end of page"],
    ["a page cut inside a line", "a 1", "line 1, column 4: expected # EOF as the last line, found end of page"],
    [
      "a page cut inside metadata",
      "# HELP a he",
      "line 1, column 12: expected # EOF as the last line, found end of page",
    ],
    ["data after the last line", "# EOF\na 1\n", 'line 2, column 1: expected nothing after # EOF, found "a"'],
    ["a comment", "# note\n# EOF\n", 'line 1, column 1: expected # HELP, # TYPE, # UNIT or # EOF, found "#"'],
    ["two spaces", "a  1\n# EOF\n", 'line 1, column 3: expected a number as the value, found " "'],
    [
      "a unit that the name lacks",
      "# UNIT a seconds\n# EOF\n",
      'line 1, column 10: expected a unit that the metric name a ends with, found "seconds"',
    ],
    ["an infinite timestamp", "a 1 Inf\n# EOF\n", 'line 1, column 5: expected a timestamp in seconds, found "Inf"'],
    [
      "a metric name in an exemplar",
      'a 1 # {"b"} 1\n# EOF\n',
      'line 1, column 11: expected = after the label name, found "}"',
    ],
  ] as const) {
    it(`refuses ${rule}`, () => expect(readPage(page, openMetricsType)).toBe(message));
  }
});

describe("exemplars", () => {
  it("come after their samples, with a time of their own or without", () => {
    const page = 'a_bucket{le="1"} 1 # {t="x\\"y",u="2"} 0.5 3.5\na_bucket{le="2"} 2 7 # {} -1\nb 1\n# EOF\n';
    const events: string[] = [];
    const parsed = parseExposition(new TextEncoder().encode(page), openMetricsType, {
      sample: (bytes, start, end, value) =>
        events.push(`${formatLabels(decodeSeries(bytes, start, end, "unknown"))} ${value}`),
      exemplar: (bytes, start, end, value, timestampMs) =>
        events.push(`  ${formatLabels(decodeSeries(bytes, start, end, "unknown"))} ${value} ${timestampMs}`),
    });
    expect(parsed).toMatchObject({ ok: true, value: { exemplars: 2 } });
    expect(events).toEqual([
      'a_bucket{le="1"} 1',
      '  {t="x\\"y", u="2"} 0.5 3500',
      'a_bucket{le="2"} 2',
      "  {} -1 undefined",
      "b 1",
    ]);
  });
});

describe("the content type", () => {
  for (const [contentType, message] of [
    [undefined, "expected Content-Type text/plain or application/openmetrics-text, found none"],
    [
      "text/html",
      'expected Content-Type text/plain or application/openmetrics-text, found "text/html" (looks like HTML)',
    ],
    [
      "application/vnd.google.protobuf; encoding=delimited",
      'expected Content-Type text/plain or application/openmetrics-text, found "application/vnd.google.protobuf; encoding=delimited" (the protobuf exposition format is not read)',
    ],
  ] as const) {
    it(`${contentType ?? "missing"} is refused`, () => {
      const parsed = parseExposition(new Uint8Array(0), contentType, { sample: () => {} });
      expect(parsed.ok ? "" : formatExpositionFailure(parsed.failure)).toBe(message);
    });
  }
  it("is read without case and parameters", () => expect(readPage("a 1\n", "Text/Plain;charset=x")).toEqual(["a 1"]));
});

describe("limits", () => {
  const page = 'a 1\nabc{one="1",two="22"} 1\nb 1\n';
  for (const [limit, max, message] of [
    ["bodyBytesMax", 20, "more than 20 body bytes"],
    ["lineBytesMax", 10, "line 2: more than 10 line bytes"],
    ["samplesMax", 2, "more than 2 samples"],
    ["labelsMax", 1, "line 2: more than 1 labels"],
    ["labelNameBytesMax", 2, "line 2: more than 2 label name bytes"],
    ["labelValueBytesMax", 1, "line 2: more than 1 label value bytes"],
  ] as const) {
    it(limit, () => {
      expect(readPage(page, textType, { ...defaultExpositionLimits, [limit]: max })).toBe(message);
      expect(readPage(page, textType, { ...defaultExpositionLimits, [limit]: max * 10 })).toHaveLength(3);
    });
  }
});

describe("a sink that recognises series", () => {
  /** Recognises one text wherever it stands; notes what it was asked and given. */
  const knowing = (text: string) => {
    const known = new TextEncoder().encode(text);
    const given: string[] = [];
    return {
      given,
      recognise: (page: Uint8Array, start: number) =>
        known.every((byte, i) => page[start + i] === byte) ? start + known.length : 0,
      sample: (page: Uint8Array, start: number, end: number, value: number) => {
        given.push(`${new TextDecoder().decode(page.subarray(start, end))}=${value}`);
      },
    };
  };
  for (const [rule, known, page, given] of [
    ["is not asked for the text again", 'a{b="1"}', 'a{b="1"} 1\na{b="1"}2\n', ['a{b="1"}=1', 'a{b="1"}=2']],
    ["does not cut a longer name", "a", "a 1\nab 2\n", ["a=1", "ab=2"]],
    ["does not lose labels after a blank", "a", 'a {b="1"} 2\n', ['a {b="1"}=2']],
  ] as const) {
    it(rule, () => {
      const sink = knowing(known);
      expect(parseExposition(new TextEncoder().encode(page), textType, sink).ok).toBe(true);
      expect(sink.given).toEqual(given);
    });
  }
});

describe("damaged pages", () => {
  const seeds = {
    [textType]:
      '# HELP h Help \\n text.\n# TYPE h histogram\nh_bucket{le="0.1",path="/a b"} 3 1395066363000\nh_sum{path="x\\"y"} 1.5e-3\n{"u.v",w="ü"} NaN\nup 1\n',
    [openMetricsType]:
      '# TYPE a counter\n# UNIT a_s s\n# HELP a he\\nlp\na_total{b="c\\\\d"} 1 1.5 # {t="x"} 0.5 2\n{"u.v","w.x"="ü"} -Inf\n# EOF\n',
  };
  for (const [contentType, page] of Object.entries(seeds)) {
    it(`either parse or fail with a place, ${contentType.split(";")[0] ?? ""}`, () => {
      for (let seed = 1; seed <= 4000; seed++) {
        const damaged = damage(new TextEncoder().encode(page), seed);
        let found: readonly string[] | string;
        try {
          found = readPage(damaged, contentType);
        } catch (error) {
          throw new Error(`seed ${seed}: ${JSON.stringify(new TextDecoder().decode(damaged))}`, { cause: error });
        }
        if (typeof found === "string") {
          expect(found, `seed ${seed}`).toMatch(/^line \d+(?:, column \d+: expected .+, found |: more than )/s);
        }
      }
    });
  }
});

/** Changes, drops, repeats or inserts up to four runs of bytes. */
function damage(page: Uint8Array, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const special = new TextEncoder().encode('{}",= #\\\n\t\u0000_:a0.-eN');
  let bytes = [...page];
  for (let changes = 1 + random.int(4); changes > 0; changes--) {
    const at = random.int(bytes.length + 1);
    const length = random.int(6);
    const piece = [...bytes.slice(at, at + length)];
    switch (random.int(4)) {
      case 0:
        bytes.splice(at, length);
        break;
      case 1:
        bytes.splice(random.int(bytes.length + 1), 0, ...piece);
        break;
      case 2:
        bytes.splice(at, 1, special[random.int(special.length)] ?? 0);
        break;
      default:
        bytes = [...bytes.slice(0, at), random.int(256), ...bytes.slice(at)];
    }
  }
  return Uint8Array.from(bytes);
}
