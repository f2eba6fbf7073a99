/** Answers remote write requests: 204 is said when the write-ahead log has the samples, never before. */
import { decodeSnappyBlock, snappyBlockLength } from "@pleiad/chunks";
import { formatHeadFailure, type CommitStats, type Head, type HeadFailure } from "@pleiad/head";
import type { Result } from "@pleiad/model";
import type { Counter, HttpRequest, HttpResponse, Observations } from "@pleiad/ports";
import {
  createLabelTable,
  createWriteRequestReader,
  createWriteRequestV2Reader,
  defaultWriteRequestLimits,
  formatWireFailure,
  type WriteRequestFailure,
  type WriteRequestLimits,
} from "@pleiad/wire";
import { SeriesRefs, SeriesRefsPool } from "./series-refs.ts";
import { negotiateWrite, type WriteRefusal, type WriteVersion } from "./write-negotiation.ts";
import { appendRequest, type WriteCounts } from "./write-transaction.ts";

export interface WriteReceiverOptions {
  /** Of a request when it is decompressed; over it, 413. What claims to be longer gets no memory. */
  readonly messageBytesMax: number;
  readonly limits: WriteRequestLimits;
  /** Whether a counter is taken to be 0 at the time that 2.0 says it began. */
  readonly zeroAtStart: boolean;
}

export const defaultWriteReceiver: WriteReceiverOptions = {
  messageBytesMax: 32 * 1024 * 1024,
  limits: defaultWriteRequestLimits,
  zeroAtStart: false,
};

/** Where samples go. */
export type WriteTarget = Pick<Head, "appender">;

/**
 * What became of a request, by its status:
 * - 204: stored.
 * - 400: no request at all, or samples that the head refuses; all others are stored. To send it again would not help.
 * - 413: over a limit of one request; nothing is stored.
 * - 415: of a type or an encoding that is not read.
 * - 500, 503: nothing is stored, and the same may succeed later.
 */
export interface WriteReceiver {
  /** Answers one request. Many may be under way, to one target or to several. */
  receive(request: HttpRequest, target: WriteTarget): Promise<HttpResponse>;
}

/** What receivers may share, so that many of them take no more memory than one. */
export interface WriteTables {
  readonly readers: {
    readonly "1.0": ReturnType<typeof createWriteRequestReader>;
    readonly "2.0": ReturnType<typeof createWriteRequestV2Reader>;
  };
  readonly refs: SeriesRefsPool;
}

export function createWriteTables({ limits }: Pick<WriteReceiverOptions, "limits">): WriteTables {
  return {
    // A request is read in one go: each version needs one reader, whose label table all requests share.
    readers: {
      "1.0": createWriteRequestReader(limits, createLabelTable()),
      "2.0": createWriteRequestV2Reader(limits),
    },
    refs: new SeriesRefsPool(),
  };
}

/** `tables` are to be made with the same limits. */
export function createWriteReceiver(
  options: WriteReceiverOptions,
  observations: Observations,
  { readers, refs: pool }: WriteTables = createWriteTables(options),
): WriteReceiver {
  const figures = writeFigures(observations);
  const refs = new WeakMap<WriteTarget, SeriesRefs>();

  return {
    async receive(request, target) {
      const version = negotiateWrite(request);
      if (!version.ok) return refusalAnswer(version.failure);
      const { messageBytesMax } = options;
      const messageBytes = snappyBlockLength(request.body) ?? 0;
      if (messageBytes > messageBytesMax) {
        const reason = `a request of ${messageBytes} bytes when it is decompressed; at most ${messageBytesMax} are taken`;
        return refusalAnswer({ status: 413, reason });
      }
      const message = decodeSnappyBlock(request.body, messageBytesMax);
      if (!message.ok) return refusalAnswer({ status: 400, reason: message.failure });
      const { counts, committed } = append(message.value, version.value, target);
      if ("failure" in counts) return refusalAnswer(requestRefusal(counts.failure));
      const outcome = await committed();
      if (!outcome.ok) return refusalAnswer(headRefusal(outcome.failure));
      const stored = withoutOvertaken(counts, outcome.value.overtaken);
      figures.count(version.value, stored);
      return storedAnswer(stored);
    },
  };

  function refsOf(target: WriteTarget): SeriesRefs {
    const known = refs.get(target);
    if (known !== undefined) return known;
    const fresh = new SeriesRefs();
    refs.set(target, fresh);
    return fresh;
  }

  /** Synchronous, so that nobody else's request gets into the reader. */
  function append(message: Uint8Array, version: WriteVersion, target: WriteTarget) {
    const reader = readers[version];
    const appender = target.appender();
    const known = refsOf(target);
    let isWhole = false;
    try {
      const counts = appendRequest(reader, message, appender, known, options);
      isWhole = !("failure" in counts);
      return { counts, committed: async (): Promise<Result<CommitStats, HeadFailure>> => await appender.commit() };
    } finally {
      if (!isWhole) appender.rollback();
      pool.used(known);
    }
  }
}

/** Another request got there first: with the same samples, as a rule, which were sent again. */
function withoutOvertaken(counts: WriteCounts, overtaken: number): WriteCounts {
  if (overtaken === 0) return counts;
  const ofSamples = Math.min(overtaken, counts.samples);
  return {
    ...counts,
    samples: counts.samples - ofSamples,
    histograms: Math.max(0, counts.histograms - (overtaken - ofSamples)),
    refused: counts.refused + overtaken,
    firstRefusal: counts.firstRefusal ?? "another request brought later samples of a series meanwhile",
  };
}

function requestRefusal(failure: WriteRequestFailure): WriteRefusal {
  return failure.kind === "limit"
    ? { status: 413, reason: `more than ${failure.max} ${failure.of} in one request` }
    : { status: 400, reason: `malformed request: ${formatWireFailure(failure)}` };
}

function headRefusal(failure: HeadFailure): WriteRefusal {
  return { status: failure.kind === "closed" ? 503 : 500, reason: formatHeadFailure(failure) };
}

/** An answer that says why nothing was stored. Senders read the first line. */
export function refusalAnswer({ status, reason }: WriteRefusal): HttpResponse {
  const retry: Readonly<Record<string, string>> = status === 503 || status === 429 ? { "retry-after": "1" } : {};
  return { status, headers: { "content-type": "text/plain; charset=utf-8", ...retry }, body: `${reason}\n` };
}

function storedAnswer({ samples, histograms, exemplars, refused, firstRefusal }: WriteCounts): HttpResponse {
  const headers = {
    "x-prometheus-remote-write-samples-written": String(samples),
    "x-prometheus-remote-write-histograms-written": String(histograms),
    "x-prometheus-remote-write-exemplars-written": String(exemplars),
  };
  if (refused === 0) return { status: 204, headers, body: "" };
  const total = samples + histograms + refused;
  const body = `${refused} of ${total} samples are not stored, the others are; the first: ${firstRefusal ?? ""}\n`;
  return { status: 400, headers: { ...headers, "content-type": "text/plain; charset=utf-8" }, body };
}

function writeFigures(observations: Observations) {
  const counter = (name: string, help: string): Counter => observations.counter(name, help, ["version"]);
  const requests = counter("pleiad_remote_write_requests_total", "Requests that were stored, in full or in part.");
  const samples = counter("pleiad_remote_write_samples_total", "Samples stored.");
  const histograms = counter("pleiad_remote_write_histograms_total", "Native histograms stored.");
  const exemplars = counter("pleiad_remote_write_exemplars_total", "Exemplars kept.");
  const refused = counter("pleiad_remote_write_refused_total", "Samples and histograms that were not taken.");
  return {
    count(version: WriteVersion, counts: WriteCounts): void {
      requests.add(1, version);
      samples.add(counts.samples, version);
      histograms.add(counts.histograms, version);
      exemplars.add(counts.exemplars, version);
      refused.add(counts.refused, version);
    },
  };
}
