/**
 * What answers as a Prometheus does, for tests: what it says of itself, and its series over remote read and its HTTP API. The
 * messages of remote read are read and written here by docs/format/remote-read.md alone, by none of the code that is tested.
 */
import { ByteWriter, crc32c, decodeSnappyBlock, encodeSnappyBlock } from "@pleiad/chunks";
import {
  collectSeries,
  compileMatcher,
  labelPairs,
  plainSelect,
  withLabels,
  type Labels,
  type LabelsRequest,
  type Matcher,
  type MatcherType,
  type SeriesSource,
  type SourceSeries,
} from "@pleiad/model";
import type { HttpRequest, HttpResponse } from "@pleiad/ports";
import { selectorReader } from "@pleiad/promql-syntax";
import { writeRequest } from "@pleiad/remote/testing";
import { samplesOf } from "@pleiad/storeapi/testing";

/** What a Prometheus says of itself; tests change it while it runs. */
export interface Told {
  labels: string; // external ones, as YAML between braces
  maxBlockDuration: string;
  ready: boolean;
}

/** Its answers, by path. */
export function statusAnswers(told: Told, oldestSampleMs: number): Readonly<Record<string, () => HttpResponse>> {
  return {
    "/-/ready": () => ({ status: told.ready ? 200 : 503, headers: {}, body: "" }),
    "/metrics": () => ({
      status: 200,
      headers: {},
      body: `prometheus_tsdb_lowest_timestamp_seconds ${oldestSampleMs / 1000}\n`,
    }),
    "/api/v1/status/config": () => success({ yaml: `global:\n  external_labels: {${told.labels}}\n` }),
    "/api/v1/status/buildinfo": () => success({ version: "2.42.0" }),
    "/api/v1/status/flags": () =>
      success({
        "storage.tsdb.min-block-duration": "2h",
        "storage.tsdb.max-block-duration": told.maxBlockDuration,
        "storage.tsdb.retention.time": "15d",
        "storage.tsdb.path": "/data",
      }),
  };
}

export interface PrometheusSeries {
  readonly source: SeriesSource; // its own series, without external labels
  readonly externalLabels: Labels; // on what remote read gives, and nowhere else
  readonly gives: "chunks" | "samples"; // over remote read; one of before version 2.13 has no chunks
}

/** The answer about its series; undefined where the path is another. */
export async function seriesAnswer(
  prometheus: PrometheusSeries,
  request: HttpRequest,
): Promise<HttpResponse | undefined> {
  const { source } = prometheus;
  const { path, signal } = request;
  if (path === "/api/v1/read") return await readAnswer(prometheus, request);
  const label = /^\/api\/v1\/label\/(\w+)\/values$/.exec(path)?.[1];
  if (label === undefined && path !== "/api/v1/labels" && path !== "/api/v1/series") return undefined;
  const asked = labelsRequest(request);
  if (asked === undefined)
    return { status: 400, headers: {}, body: "at least one matcher must not match the empty text" };
  if (path === "/api/v1/series") {
    const { series } = await collectSeries(source.select({ ...plainSelect, ...asked, skipChunks: true }, signal));
    return success(series.map(({ labels }) => Object.fromEntries(labelPairs(labels))));
  }
  const texts =
    label === undefined ? await source.labelNames(asked, signal) : await source.labelValues(label, asked, signal);
  if (!texts.ok) throw new Error(texts.failure.kind);
  return success(texts.value.values);
}

function success(data: unknown): HttpResponse {
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ status: "success", data }),
  };
}

/** Undefined where its matchers are fine with the empty text. */
function labelsRequest({ query, body }: HttpRequest): LabelsRequest | undefined {
  const form = new URLSearchParams(`${query}&${new TextDecoder().decode(body)}`);
  const matchers = form.getAll("match[]").flatMap((text) => {
    const read = selectorReader.selector(text);
    if (!read.ok) throw new Error(read.failure);
    return read.value;
  });
  if (form.has("match[]") && !matchers.some(isSelective)) return undefined;
  return {
    minTimeMs: 1000 * Number(form.get("start")),
    maxTimeMs: 1000 * Number(form.get("end")),
    ...{ matchers, withoutLabels: [], onFailure: "abort", limit: 0 },
  };
}

function isSelective(matcher: Matcher): boolean {
  const test = compileMatcher(matcher);
  return test.ok && !test.value("");
}

async function readAnswer(
  { source, externalLabels, gives }: PrometheusSeries,
  { body, signal }: HttpRequest,
): Promise<HttpResponse> {
  const request = decodeSnappyBlock(body, 1 << 20);
  if (!request.ok) throw new Error(request.failure);
  const query = queryIn(request.value);
  // Without matchers it selects nothing.
  const selected = query.matchers.length === 0 ? [] : await seriesOf(source, query, signal);
  const series = selected.map(({ labels, chunks }) => ({ labels: withLabels(labels, externalLabels), chunks }));
  if (gives === "chunks") {
    const type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    return { status: 200, headers: { "content-type": type }, body: framesOf(series) };
  }
  const inRange = series.map(({ labels, chunks }) => ({
    labels: [...labelPairs(labels)],
    samples: chunks
      .flatMap(({ content }) => (content.kind === "raw" ? samplesOf(content.encoding, content.data) : []))
      .filter(([timestampMs]) => timestampMs >= query.minTimeMs && timestampMs <= query.maxTimeMs),
  }));
  const message = messageOf([[1, writeRequest(inRange)]]);
  return {
    status: 200,
    headers: { "content-type": "application/x-protobuf", "content-encoding": "snappy" },
    body: encodeSnappyBlock(message),
  };
}

async function seriesOf(
  source: SeriesSource,
  query: ReadQuestion,
  signal: AbortSignal,
): Promise<readonly SourceSeries[]> {
  const { series, failure } = await collectSeries(source.select({ ...plainSelect, ...query }, signal));
  if (failure !== undefined) throw new Error(failure.kind);
  return series;
}

interface ReadQuestion {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly matchers: readonly Matcher[];
}

/** The one query of a ReadRequest. */
function queryIn(request: Uint8Array): ReadQuestion {
  const query = [...fieldsOf(request)].find(({ field }) => field === 1);
  const fields = [...fieldsOf(query?.bytes ?? new Uint8Array(0))];
  const number = (field: number) => fields.find((one) => one.field === field)?.number ?? 0;
  const matchers = fields.filter(({ field }) => field === 3).map(({ bytes }) => matcherIn(bytes));
  return { minTimeMs: number(1), maxTimeMs: number(2), matchers };
}

const matcherTypes: readonly MatcherType[] = ["=", "!=", "=~", "!~"];

function matcherIn(message: Uint8Array): Matcher {
  const fields = [...fieldsOf(message)];
  const text = (field: number) => new TextDecoder().decode(fields.find((one) => one.field === field)?.bytes);
  const type = matcherTypes[fields.find(({ field }) => field === 1)?.number ?? 0];
  if (type === undefined) throw new Error("matcher of an unknown type");
  return { type, name: text(2), value: text(3) };
}

/** The fields of a message: `number` of a varint, `bytes` of what has a length. No others come. */
function* fieldsOf(message: Uint8Array): Generator<{ field: number; number: number; bytes: Uint8Array }> {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("message cut short");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < message.length) {
    const key = varint();
    const number = varint();
    const bytes = message.subarray(at, (key & 7) === 2 ? at + number : at);
    at += bytes.length;
    yield { field: key >> 3, number, bytes };
  }
}

/** A message of these fields; numbers are not negative. */
function messageOf(fields: readonly (readonly [field: number, content: Uint8Array | string | number])[]): Uint8Array {
  const writer = new ByteWriter();
  for (const [field, content] of fields) {
    writer.uvarint(field * 8 + (typeof content === "number" ? 0 : 2));
    if (typeof content === "string") writer.text(content);
    else writer.uvarint(typeof content === "number" ? content : content.length);
    if (content instanceof Uint8Array) writer.raw(content, 0, content.length);
  }
  return writer.bytes.slice(0, writer.length);
}

/** So few that a series of the suite goes on in the next frames. */
const chunksPerFrame = 2;

function framesOf(series: readonly SourceSeries[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { labels, chunks } of series) {
    const pairs = Array.from(
      labelPairs(labels),
      ([name, value]) =>
        [
          1,
          messageOf([
            [1, name],
            [2, value],
          ]),
        ] as const,
    );
    for (let from = 0; from < chunks.length; from += chunksPerFrame) {
      const part = chunks.slice(from, from + chunksPerFrame).flatMap(({ minTimeMs, maxTimeMs, content }) => {
        if (content.kind !== "raw") return [];
        const { encoding, data } = content;
        return [
          [
            2,
            messageOf([
              [1, minTimeMs],
              [2, maxTimeMs],
              [3, encoding],
              [4, data],
            ]),
          ] as const,
        ];
      });
      const frame = messageOf([[1, messageOf([...pairs, ...part])]]);
      writer.uvarint(frame.length);
      writer.u32(crc32c(frame, 0, frame.length));
      writer.raw(frame, 0, frame.length);
    }
  }
  return writer.bytes.slice(0, writer.length);
}
