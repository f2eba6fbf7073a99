import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { formatBlockMeta, parseBlockMeta, type BlockMeta } from "./block-meta.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

const fromPrometheus = `{
	"ulid": "01M81SW296JBC0YM99TSRJ0KHY",
	"minTime": 1763640000089,
	"maxTime": 1763647199992,
	"stats": {
		"numSamples": 2395699,
		"numSeries": 9990,
		"numChunks": 19980
	},
	"compaction": {
		"level": 2,
		"sources": [
			"01M81SW296JBC0YM99TSRJ0KHY"
		],
		"parents": [
			{
				"ulid": "01M81SW296JBC0YM99TSRJ0KHY",
				"minTime": 1763640000089,
				"maxTime": 1763647199992
			}
		]
	},
	"version": 1
}`;

const thanos: BlockMeta["thanos"] = {
  labels: { cluster: "a<b>", region: "r" },
  resolutionMs: 300_000,
  source: "compactor",
  files: [
    { path: "chunks/000001", sizeBytes: 10 },
    { path: "meta.json", sizeBytes: undefined },
  ],
  indexStats: { seriesBytesMax: 5, chunkBytesMax: 6 },
  uploadTimeMs: 1_700_000_000_000,
};

function parsed(content: string): BlockMeta {
  const meta = parseBlockMeta(bytes(content));
  if (!meta.ok) throw new Error(JSON.stringify(meta.failure));
  return meta.value;
}

describe("meta.json", () => {
  it("of Prometheus is written again byte for byte", () => {
    expect(text(formatBlockMeta(parsed(fromPrometheus)))).toBe(fromPrometheus);
  });

  it("of Thanos keeps its section, and is escaped as Go does", () => {
    const meta = { ...parsed(fromPrometheus), thanos };
    const written = text(formatBlockMeta(meta));
    expect(written).toContain(String.raw`"cluster": "a\u003cb\u003e"`);
    expect(written).toContain('"downsample": {\n\t\t\t"resolution": 300000\n\t\t}');
    expect(written).toContain('"upload_time": "2023-11-14T22:13:20.000Z"');
    expect(parsed(written)).toEqual(meta);
  });

  it("may have fields that are not known, and an upload time of nobody", () => {
    const meta = JSON.parse(fromPrometheus) as Record<string, unknown>;
    const more = {
      ...meta,
      other: [1],
      thanos: { labels: {}, segment_files: ["1"], extensions: {}, upload_time: "0001-01-01T00:00:00Z" },
    };
    expect(parsed(JSON.stringify(more)).thanos).toEqual({
      labels: {},
      resolutionMs: 0,
      source: "",
      files: [],
      indexStats: undefined,
      uploadTimeMs: undefined,
    });
  });

  it("may have a label of the name __proto__", () => {
    const one = parsed(
      fromPrometheus.replace('"version": 1', '"version": 1, "thanos": {"labels": {"__proto__": "x"}}'),
    );
    expect(Object.entries(one.thanos?.labels ?? {})).toEqual([["__proto__", "x"]]);
  });

  for (const [rule, content, kind] of [
    ["empty", "", "corrupt"],
    ["no object", "[]", "corrupt"],
    ["an empty object", "{}", "unsupported"],
    ["of another version", fromPrometheus.replace('"version": 1', '"version": 9'), "unsupported"],
    ["without a ULID", fromPrometheus.replace("01M81SW296JBC0YM99TSRJ0KHY", "../../etc"), "corrupt"],
    ["of times out of order", fromPrometheus.replace("1763640000089", "1863640000089"), "corrupt"],
    ["of a time that is no number", fromPrometheus.replace("1763640000089", '"1"'), "corrupt"],
    ["of a number without end", fromPrometheus.replace("1763640000089", "1e400"), "corrupt"],
    ["of a negative count", fromPrometheus.replace("2395699", "-1"), "corrupt"],
    ["of sources that are no texts", fromPrometheus.replace('"01M81SW296JBC0YM99TSRJ0KHY"\n\t\t]', "7]"), "corrupt"],
    ["a zero byte", "\u0000", "corrupt"],
  ] as const) {
    it(`is refused when it is ${rule}`, () => {
      const meta = parseBlockMeta(bytes(content), "b");
      expect(meta).toMatchObject({ ok: false, failure: { kind, block: "b" } });
    });
  }

  it("cut short at any byte is corrupt", () => {
    const whole = formatBlockMeta({ ...parsed(fromPrometheus), thanos });
    for (let length = 0; length < whole.length; length++) {
      expect(parseBlockMeta(whole.subarray(0, length))).toMatchObject({ ok: false, failure: { kind: "corrupt" } });
    }
  });

  it("with flipped bits is refused or read, never an exception", () => {
    const random = seededRandom(7);
    const whole = formatBlockMeta({ ...parsed(fromPrometheus), thanos });
    for (let i = 0; i < 3000; i++) {
      const damaged = whole.slice();
      const at = random.int(damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.int(8));
      expect(() => parseBlockMeta(damaged)).not.toThrow();
    }
  });

  it("larger than any is refused unread", () => {
    expect(parseBlockMeta(new Uint8Array(17 * 1024 * 1024))).toMatchObject({ ok: false, failure: { kind: "limit" } });
  });
});
