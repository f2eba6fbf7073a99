import { createHistogramColumns, createSampleColumns, decodeChunk, decodeHistogramChunk } from "@pleiad/chunks";
import { defaultHead, openHead, type Head, type HeadOptions } from "@pleiad/head";
import { collectSeries, emptyLabels, formatLabels, plainSelect, staleHigh, staleLow } from "@pleiad/model";
import type { HttpRequest } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createWriteReceiver, defaultWriteReceiver, type WriteReceiverOptions } from "./write-receiver.ts";
import { contentTypeV2, post, writeRequest, writeRequestV2, type SentSeries } from "./testing.ts";

const startMs = 1_700_000_000_000;

async function openScene(changes: Partial<WriteReceiverOptions> = {}, head: Partial<HeadOptions> = {}) {
  const ports = testPorts({ startMs });
  const open = async () => {
    const options = { ...defaultHead, directory: "/data", externalLabels: emptyLabels, intern: (text: string) => text };
    const opened = await openHead({ ...options, ...head }, ports);
    if (!opened.ok) throw new Error(opened.failure.kind);
    return opened.value;
  };
  const opened = await open();
  const receiver = createWriteReceiver({ ...defaultWriteReceiver, ...changes }, ports.observations);
  const send = async (request: HttpRequest, target: Head = opened) => {
    const { status, headers, body } = await receiver.receive(request, target);
    const written = ["samples", "histograms", "exemplars"].map(
      (of) => headers[`x-prometheus-remote-write-${of}-written`],
    );
    return { status, headers, written: written.join(" "), text: typeof body === "string" ? body.trim() : "" };
  };
  return { ports, head: opened, reopen: open, send };
}

/** All samples, a line a series: `m{a="b"} 1@0 stale@15`, times in seconds since the start. */
async function dump(head: Head): Promise<string[]> {
  const { series } = await collectSeries(head.select(plainSelect, new AbortController().signal));
  return series.map(({ labels, chunks }) => {
    const texts = chunks.flatMap(({ content }) => {
      if (content.kind !== "raw") throw new Error("a head has raw samples only");
      const floats = createSampleColumns(8);
      if (decodeChunk(content.encoding, content.data, floats) === undefined) {
        return Array.from({ length: floats.count }, (_, i) => {
          const isMarker = floats.valueWords[2 * i] === staleLow && floats.valueWords[2 * i + 1] === staleHigh;
          return `${isMarker ? "stale" : String(floats.values[i])}@${((floats.timestampsMs[i] ?? 0) - startMs) / 1000}`;
        });
      }
      const columns = createHistogramColumns();
      expect(decodeHistogramChunk(content.encoding, content.data, columns)).toBeUndefined();
      return Array.from({ length: columns.count }, (_, i) => {
        const { count, positiveBuckets } = columns.histograms[i] ?? { count: NaN, positiveBuckets: [] };
        return `${content.encoding === 2 ? "int" : "float"} ${count}:${[...positiveBuckets].join(",")}@${((columns.timestampsMs[i] ?? 0) - startMs) / 1000}`;
      });
    });
    return `${formatLabels(labels)} ${texts.join(" ")}`;
  });
}

const m = (samples: SentSeries["samples"], more: readonly (readonly [string, string])[] = []): SentSeries => ({
  labels: [["__name__", "m"], ...more],
  samples:
    samples?.map(([t, value, start]) => [
      startMs + 1000 * t,
      value,
      start === undefined ? 0 : startMs + 1000 * start,
    ]) ?? [],
});

for (const [version, request, headers] of [
  ["1.0", writeRequest, {}],
  ["2.0", writeRequestV2, { "content-type": contentTypeV2 }],
] as const) {
  describe(`a request of remote write ${version}`, () => {
    it("is stored before it is answered: floats, staleness markers, NaN, histograms, exemplars", async () => {
      const { send, head, reopen } = await openScene();
      const sent = [
        m([
          [0, 1],
          [15, 2.5],
          [30, "stale"],
          [45, NaN],
        ]),
        { ...m([[0, 7]], [["a", "ü"]]), exemplars: [["abc", 0.5, startMs]] as const },
        {
          labels: [["__name__", "h"]] as const,
          histograms: [{ timestampMs: startMs, count: 6, zeroCount: 1, buckets: [2, 3] as const }],
        },
        {
          labels: [["__name__", "f"]] as const,
          histograms: [{ timestampMs: startMs, count: 6.5, zeroCount: 0.5, buckets: [2.5, 3] as const, float: true }],
        },
      ];
      expect(await send(post(request(sent), headers))).toMatchObject({ status: 204, written: "5 2 1", text: "" });
      const lines = ["f float 6.5:2.5,3@0", "h int 6:2,3@0", "m 1@0 2.5@15 stale@30 NaN@45", 'm{a="ü"} 7@0'];
      expect(await dump(head)).toEqual(lines);
      expect(head.statistics().exemplars).toBe(1);
      // Another process, after this one died: nothing was closed.
      expect(await dump(await reopen())).toEqual(lines);
    });

    for (const [rule, sent, written, text] of [
      ["whose series has later samples", m([[5, 1]]), "1 0 0", "m at 1700000005000: the series has a later sample"],
      [
        "that differs from the one of its time",
        m([[10, 2]]),
        "1 0 0",
        "m at 1700000010000: the series has another value at this time",
      ],
      ["far ahead of the clock", m([[7200, 2]]), "1 0 0", "m at 1700007200000: too old, or too far ahead of the clock"],
      [
        "long before the others",
        m([[-7200, 2]], [["a", "b"]]),
        "1 0 0",
        'm{a="b"} at 1699992800000: too old, or too far ahead of the clock',
      ],
      ["without metric name", { ...m([[10, 1]]), labels: [["a", "b"]] as const }, "1 0 0", 'no metric name: {a="b"}'],
      [
        "with a label twice",
        m(
          [[10, 1]],
          [
            ["a", "b"],
            ["a", "c"],
          ],
        ),
        "1 0 0",
        "the label a twice",
      ],
      [
        "whose histogram's count is not that of its buckets",
        {
          labels: [["__name__", "h"]] as const,
          histograms: [{ timestampMs: startMs, count: 7, zeroCount: 1, buckets: [2, 3] as const }],
        },
        "1 0 0",
        "h at 1700000000000: a histogram of 7, with 6 in its buckets",
      ],
    ] as const) {
      it(`with a sample ${rule} is answered 400 when the rest is stored`, async () => {
        const { send, head } = await openScene();
        await send(post(request([m([[10, 1]])]), headers));
        const good = m([[12, 3]], [["good", "1"]]);
        expect(await send(post(request([sent, good]), headers))).toMatchObject({
          status: 400,
          written,
          text: `1 of 2 samples are not stored, the others are; the first: ${text}`,
        });
        expect(await dump(head)).toEqual(["m 1@10", 'm{good="1"} 3@12']);
      });
    }

    it("that is sent again is stored once, and the sender is told not to go on", async () => {
      const { send, head } = await openScene();
      const again = post(request([m([[0, 1]])]), headers);
      expect((await send(again)).status).toBe(204);
      expect((await send(again)).status).toBe(204);
      const [first, second] = await Promise.all([
        send(
          post(
            request([
              m([
                [15, 2],
                [30, 3],
              ]),
            ]),
            headers,
          ),
        ),
        send(
          post(
            request([
              m([
                [15, 2],
                [30, 3],
              ]),
            ]),
            headers,
          ),
        ),
      ]);
      expect([first?.status, second?.status]).toEqual([204, 400]);
      expect(second?.written).toBe("0 0 0");
      expect(await dump(head)).toEqual(["m 1@0 2@15 3@30"]);
    });

    it("over the head's bound on series is answered 400 when those that are known have theirs", async () => {
      const { send, head } = await openScene({}, { limits: { ...defaultHead.limits, seriesMax: 1 } });
      await send(post(request([m([[0, 1]])]), headers));
      const sent = [m([[15, 2]], [["new", "1"]]), m([[15, 2]])];
      expect(await send(post(request(sent), headers))).toMatchObject({
        status: 400,
        text: '1 of 2 samples are not stored, the others are; the first: m{new="1"}: more than 1 series',
        written: "1 0 0",
      });
      expect(await dump(head)).toEqual(["m 1@0 2@15"]);
    });

    it("that the disk refuses is answered 500, and nothing of it is shown", async () => {
      const { send, head, ports } = await openScene();
      await send(post(request([m([[0, 1]])]), headers));
      ports.files.failFrom(1, "ENOSPC");
      const late = post(request([m([[15, 2]])]), headers);
      expect(await send(late)).toMatchObject({ status: 500, text: expect.stringContaining("ENOSPC") });
      expect(await dump(head)).toEqual(["m 1@0"]);
      ports.files.heal();
      expect((await send(late)).status).toBe(204);
      expect(await dump(head)).toEqual(["m 1@0 2@15"]);
    });

    it("that comes while the head closes is answered 503", async () => {
      const { send, head } = await openScene();
      await head.close();
      const answer = await send(post(request([m([[0, 1]])]), headers));
      expect(answer).toMatchObject({ status: 503, text: "the head is closed", headers: { "retry-after": "1" } });
    });

    it("of broken bytes is answered 400, and nothing of it is stored", async () => {
      const { send, head } = await openScene();
      const good = request([m([[0, 1]]), m([[0, 1]], [["a", "b"]])]);
      const half = await send(post(good.subarray(0, good.length - 3), headers));
      expect(half).toMatchObject({ status: 400, text: expect.stringContaining("malformed request: ") });
      const noSnappy = await send({ ...post(good, headers), body: good });
      expect(noSnappy).toMatchObject({ status: 400, text: expect.stringContaining("snappy: ") });
      expect(await dump(head)).toEqual([]);
    });

    it("over a limit is answered 413, and nothing of it is stored", async () => {
      const limits = { ...defaultWriteReceiver.limits, samplesMax: 2 };
      const { send, head } = await openScene({ limits, messageBytesMax: 1000 });
      const many = await send(
        post(
          request([
            m([[0, 1]]),
            m([
              [1, 1],
              [2, 1],
            ]),
          ]),
          headers,
        ),
      );
      expect(many).toMatchObject({ status: 413, text: "more than 2 samples in one request" });
      const bomb = await send({
        ...post(new Uint8Array(0), headers),
        body: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0),
      });
      expect(bomb).toMatchObject({
        status: 413,
        text: "a request of 4294967295 bytes when it is decompressed; at most 1000 are taken",
      });
      expect(await dump(head)).toEqual([]);
    });
  });
}

it("a series that the head has forgotten is made anew from the same bytes", async () => {
  const { send, head } = await openScene({}, { retentionMs: 60_000 });
  const both = (t: number) => post(writeRequest([m([[t, t]]), m([[t, t]], [["other", "1"]])]));
  expect((await send(both(0))).status).toBe(204);
  // Only the other one goes on; the first is past retention then.
  for (const t of [30, 60, 90, 120, 150]) await send(post(writeRequest([m([[t, t]], [["other", "1"]])])));
  expect((await head.maintain(startMs + 200_000)).ok).toBe(true);
  expect(head.statistics().series).toBe(1);
  expect(await send(both(180))).toMatchObject({ status: 204, written: "2 0 0" });
  expect((await dump(head))[0]).toBe("m 180@180");
});

describe("headers choose the version", () => {
  for (const [rule, headers, status] of [
    [
      "no type and no encoding, as early senders have it",
      { "content-type": undefined, "content-encoding": undefined },
      204,
    ],
    ["the type without a message", {}, 204],
    ["the message of 1.0", { "content-type": "application/x-protobuf;proto=prometheus.WriteRequest" }, 204],
    [
      "a message that is not known",
      { "content-type": "application/x-protobuf;proto=io.prometheus.write.v3.Request" },
      415,
    ],
    ["JSON", { "content-type": "application/json" }, 415],
    ["an image", { "content-type": "image/png" }, 415],
    ["gzip", { "content-encoding": "gzip" }, 415],
    ["zstd", { "content-encoding": "zstd" }, 415],
  ] as const) {
    it(`${rule}: ${status}`, async () => {
      const { send } = await openScene();
      expect((await send(post(writeRequest([m([[0, 1]])]), headers))).status).toBe(status);
    });
  }

  it("spaces, quotes and case of the message of 2.0 do not matter", async () => {
    const { send, head } = await openScene();
    const type = 'Application/X-Protobuf; proto="io.prometheus.write.v2.Request"; charset=utf-8';
    expect((await send(post(writeRequestV2([m([[0, 1]])]), { "content-type": type }))).written).toBe("1 0 0");
    expect(await dump(head)).toEqual(["m 1@0"]);
  });

  it("a request of 1.0 said to be 2.0 has nothing in it, and the headers say so", async () => {
    const { send } = await openScene();
    expect(await send(post(writeRequest([m([[0, 1]])]), { "content-type": contentTypeV2 }))).toMatchObject({
      status: 204,
      written: "0 0 0",
    });
  });

  it("another method than POST: 405", async () => {
    const { send } = await openScene();
    expect((await send({ ...post(writeRequest([])), method: "GET" })).status).toBe(405);
  });
});

describe("the start of a counter", () => {
  const sent = post(
    writeRequestV2([
      m([
        [15, 5, 10],
        [30, 6, 10],
        [45, 1, 40],
      ]),
    ]),
    { "content-type": contentTypeV2 },
  );

  it("is passed over as a rule", async () => {
    const { send, head } = await openScene();
    expect((await send(sent)).written).toBe("3 0 0");
    expect(await dump(head)).toEqual(["m 5@15 6@30 1@45"]);
  });

  it("is a zero of its own where that is asked for", async () => {
    const { send, head } = await openScene({ zeroAtStart: true });
    expect(await send(sent)).toMatchObject({ status: 204, written: "3 0 0" });
    expect(await dump(head)).toEqual(["m 0@10 5@15 6@30 0@40 1@45"]);
  });
});

it("whatever is sent in whatever pieces, each sample is there once, in order", async () => {
  const sample = fc.tuple(fc.nat(3), fc.nat(60), fc.nat(2));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(sample, { maxLength: 8 }), { maxLength: 8 }),
      fc.boolean(),
      async (requests, isSecond) => {
        const { send, head } = await openScene();
        const model = new Map<number, [number, number][]>();
        for (const samples of requests) {
          const sent = samples.map(([series, t, value]) => m([[t, value]], [["series", String(series)]]));
          let refused = 0;
          for (const [series, t, value] of samples) {
            const of = model.get(series) ?? [];
            model.set(series, of);
            const [lastT, lastValue] = of.at(-1) ?? [-1, NaN];
            if (t > lastT) of.push([t, value]);
            else if (t < lastT || value !== lastValue) refused++;
          }
          const answer = await send(
            isSecond ? post(writeRequestV2(sent), { "content-type": contentTypeV2 }) : post(writeRequest(sent)),
          );
          expect(answer.status).toBe(refused === 0 ? 204 : 400);
          expect(answer.written).toBe(`${samples.length - refused} 0 0`);
        }
        const lines = [...model].filter(([, of]) => of.length > 0).sort(([a], [b]) => a - b);
        expect(await dump(head)).toEqual(
          lines.map(([series, of]) => `m{series="${series}"} ${of.map(([t, value]) => `${value}@${t}`).join(" ")}`),
        );
      },
    ),
    { numRuns: 60 },
  );
});
