/** Sends samples to Prometheus by remote write, version 1: protobuf in a frame of snappy that holds it as it is. */
import { Agent, request } from "node:http";
import { openSampleRows } from "./sample-rows.ts";

const utf8 = new TextEncoder();
const literalBytesMax = 65_536;
/** The tag of a literal whose length is in the two bytes behind it. */
const longLiteral = 61 << 2;

/** One request: series with their samples, in a buffer that is used again. */
export class WriteRequest {
  #bytes = new Uint8Array(1024 * 1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** `labels` as `encodeLabels` gives them. Samples whose value is NaN are left out; gives the number of those that are not. */
  add(labels: Uint8Array, timestampsMs: Float64Array, values: Float64Array): number {
    let bytes = labels.length;
    let count = 0;
    for (let i = 0; i < values.length; i++) {
      if (Number.isNaN(values[i])) continue;
      bytes += 2 + sampleBytes(timestampsMs[i] ?? 0);
      count++;
    }
    if (count === 0) return 0;
    this.#reserve(bytes + 16);
    this.#byte(0x0a); // of the request: a time series
    this.#varint(bytes);
    this.#bytes.set(labels, this.#length);
    this.#length += labels.length;
    for (let i = 0; i < values.length; i++) {
      const [timestampMs = 0, value = NaN] = [timestampsMs[i], values[i]];
      if (Number.isNaN(value)) continue;
      this.#byte(0x12); // of the series: a sample
      this.#varint(sampleBytes(timestampMs));
      this.#byte(0x09); // of the sample: its value
      this.#view.setFloat64(this.#length, value, true);
      this.#length += 8;
      this.#byte(0x10); // of the sample: its time
      this.#varint(timestampMs);
    }
    return count;
  }

  /** The request as it is sent; what follows is another. */
  take(): Uint8Array {
    const length = this.#length;
    const frame = new Uint8Array(10 + length + 3 * Math.ceil(length / literalBytesMax));
    let at = putVarint(frame, 0, length);
    for (let from = 0; from < length; from += literalBytesMax) {
      const to = Math.min(from + literalBytesMax, length);
      frame[at++] = longLiteral;
      frame[at++] = (to - from - 1) & 0xff;
      frame[at++] = (to - from - 1) >> 8;
      frame.set(this.#bytes.subarray(from, to), at);
      at += to - from;
    }
    this.#length = 0;
    return frame.subarray(0, at);
  }

  #byte(value: number): void {
    this.#bytes[this.#length++] = value;
  }

  #varint(value: number): void {
    this.#length = putVarint(this.#bytes, this.#length, value);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * this.#bytes.length + bytes);
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** The labels of a series as its message has them. */
export function encodeLabels(labels: readonly string[]): Uint8Array {
  const parts: number[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = utf8.encode(labels[i]);
    const value = utf8.encode(labels[i + 1]);
    const pair = [0x0a, ...varint(name.length), ...name, 0x12, ...varint(value.length), ...value];
    parts.push(0x0a, ...varint(pair.length), ...pair);
  }
  return Uint8Array.from(parts);
}

export interface RemoteWriteStats {
  readonly samples: number;
  readonly requests: number;
}

const scrapesPerRequest = 12;

/**
 * Sends all rows of a folder, a request for some scrapes of a cluster, those of a cluster one after the other. With one
 * scrape a request Prometheus would spend nearly all its time on the labels.
 */
export async function sendSampleRows(folder: string, port: number, connections: number): Promise<RemoteWriteStats> {
  const rows = openSampleRows(folder);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const labels = Array.from({ length: rows.clusters }, (_, cluster) => rows.labels(cluster).map(encodeLabels));
  let samples = 0;
  let requests = 0;
  const sendLane = async (lane: number, first: number) => {
    const count = Math.min(scrapesPerRequest, rows.scrapes - first);
    const columns = () => Array.from({ length: count }, () => new Float64Array(rows.series));
    const [timestamps, values] = [columns(), columns()];
    const [seriesTimestamps, seriesValues] = [new Float64Array(count), new Float64Array(count)];
    const message = new WriteRequest();
    for (let cluster = lane; cluster < rows.clusters; cluster += connections) {
      for (const [i, column] of timestamps.entries()) rows.read(first + i, cluster, column, values[i] ?? column);
      for (const [series, encoded] of (labels[cluster] ?? []).entries()) {
        for (let i = 0; i < count; i++) {
          seriesTimestamps[i] = timestamps[i]?.[series] ?? NaN;
          seriesValues[i] = values[i]?.[series] ?? NaN;
        }
        samples += message.add(encoded, seriesTimestamps, seriesValues);
      }
      if (message.isEmpty) continue;
      await post(agent, port, message.take());
      requests++;
    }
  };
  try {
    for (let first = 0; first < rows.scrapes; first += scrapesPerRequest) {
      await Promise.all(Array.from({ length: connections }, async (_, lane) => await sendLane(lane, first)));
    }
    return { samples, requests };
  } finally {
    agent.destroy();
    rows.close();
  }
}

/**
 * A server may close a connection that rests in the pool just when it is taken from there: what it never saw is sent once
 * more. Samples that it did see are no others then.
 */
async function post(agent: Agent, port: number, body: Uint8Array): Promise<void> {
  if (await tryPost(agent, port, body)) return;
  if (!(await tryPost(agent, port, body))) throw new Error("remote write: two connections in turn were closed");
}

/** Whether there was an answer; there may be none where the connection was used before. */
function tryPost(agent: Agent, port: number, body: Uint8Array): Promise<boolean> {
  const headers = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "content-length": body.length,
    "x-prometheus-remote-write-version": "0.1.0",
  };
  return new Promise((resolve, reject) => {
    const path = "/api/v1/write";
    const outgoing = request({ agent, host: "127.0.0.1", port, method: "POST", path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      answer.on("error", reject);
      answer.on("end", () => {
        const { statusCode = 0 } = answer;
        if (statusCode >= 200 && statusCode < 300) resolve(true);
        else reject(new Error(`remote write: ${String(statusCode)} ${text.slice(0, 300)}`));
      });
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      if (outgoing.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE")) resolve(false);
      else reject(new Error(`remote write: ${error.message}`, { cause: error }));
    });
    outgoing.end(body);
  });
}

function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  putVarint(bytes, 0, value);
  return bytes;
}

/** Of a sample without its tag and length, which take one byte each. */
function sampleBytes(timestampMs: number): number {
  return 1 + 8 + 1 + varintBytes(timestampMs);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** Gives the place behind it. */
function putVarint(bytes: Uint8Array | number[], at: number, value: number): number {
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
  bytes[at] = rest;
  return at + 1;
}
