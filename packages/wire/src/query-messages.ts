/** Messages of `thanos.Query`: QueryRequest, QueryRangeRequest and their answers. Field numbers: docs/format/query-api.md. */
import { fail, ok, type Matcher, type Result } from "@pleiad/model";
import { readMatcher, writeMatchers, writeTexts } from "./label-messages.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { readTimeSeries, writeTimeSeries, type TimeSeriesMessage } from "./time-series.ts";
import type { WireFailure } from "./wire-failure.ts";

export const queryEngines = ["default", "prometheus", "thanos"] as const; // by number in the enumeration
export type QueryEngine = (typeof queryEngines)[number];

/** What requests of both kinds have. Whole seconds, as Thanos reads them. */
interface QuerySettings {
  readonly query: string;
  readonly timeoutSeconds: number;
  readonly maxResolutionSeconds: number;
  readonly replicaLabels: readonly string[]; // none: the peer's own
  readonly storeMatchers: readonly (readonly Matcher[])[];
  readonly enableDedup: boolean;
  readonly enablePartialResponse: boolean;
  readonly skipChunks: boolean;
  readonly lookbackSeconds: number; // 0 = the peer's own
  readonly engine: QueryEngine;
  readonly responseBatchSize: number; // 0 and 1 = one series a frame
  /** Among Pleiad's own: what has no place in seconds. Others pass over it. */
  readonly exact: ExactQueryMessage | undefined;
}

/** How a peer of the same kind is to evaluate, to the millisecond and with the same options. */
export interface ExactQueryMessage {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number; // 0 for an instant query
  readonly lookbackMs: number;
  readonly evaluationIntervalMs: number;
  readonly maxResolutionMs: number;
  readonly timeoutMs: number;
  readonly features: readonly string[]; // of the engine: a peer with others refuses
}

export interface QueryRequestMessage extends QuerySettings {
  readonly timeSeconds: number; // 0 = now
}

export interface QueryRangeRequestMessage extends QuerySettings {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly intervalSeconds: number;
}

/** Requests with nothing in them, to be spread and changed. */
const emptySettings: QuerySettings = {
  query: "",
  timeoutSeconds: 0,
  maxResolutionSeconds: 0,
  replicaLabels: [],
  storeMatchers: [],
  enableDedup: false,
  enablePartialResponse: false,
  skipChunks: false,
  lookbackSeconds: 0,
  engine: "default",
  responseBatchSize: 0,
  exact: undefined,
};
export const emptyQueryRequest: QueryRequestMessage = { ...emptySettings, timeSeconds: 0 };
export const emptyQueryRangeRequest: QueryRangeRequestMessage = {
  ...emptySettings,
  startSeconds: 0,
  endSeconds: 0,
  intervalSeconds: 0,
};

/** Numbers of the fields that both kinds have, in the order of `settingFields`. */
const fieldsOfInstant = [3, 4, 5, 6, 7, 8, 10, 12, 13, 15] as const;
const fieldsOfRange = [5, 6, 7, 8, 9, 10, 12, 14, 15, 17] as const;
const settingFields = [
  "timeoutSeconds",
  "maxResolutionSeconds",
  "replicaLabels",
  "storeMatchers",
  "enableDedup",
  "enablePartialResponse",
  "skipChunks",
  "lookbackSeconds",
  "engine",
  "responseBatchSize",
] as const;
/** Far beyond any number that Thanos has given out. */
const exactField = 1000;

export function encodeQueryRequest(request: QueryRequestMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writer.text(1, request.query);
  writer.int64(2, request.timeSeconds);
  writeSettings(writer, request, fieldsOfInstant);
  return writer.view();
}

export function encodeQueryRangeRequest(request: QueryRangeRequestMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writer.text(1, request.query);
  writer.int64(2, request.startSeconds);
  writer.int64(3, request.endSeconds);
  writer.int64(4, request.intervalSeconds);
  writeSettings(writer, request, fieldsOfRange);
  return writer.view();
}

function writeSettings(writer: ProtobufWriter, settings: QuerySettings, fields: readonly number[]): void {
  settingFields.forEach((name, i) => {
    const field = fields[i] as number;
    switch (name) {
      case "replicaLabels":
        return writeTexts(writer, field, settings.replicaLabels);
      case "storeMatchers":
        for (const matchers of settings.storeMatchers) {
          const mark = writer.open(field);
          writeMatchers(writer, 1, matchers);
          writer.close(mark);
        }
        return undefined;
      case "engine":
        return writer.int64(field, queryEngines.indexOf(settings.engine));
      case "enableDedup":
      case "enablePartialResponse":
      case "skipChunks":
        return writer.bool(field, settings[name]);
      default:
        return writer.int64(field, settings[name]);
    }
  });
  if (settings.exact !== undefined) writeExact(writer, settings.exact);
}

function writeExact(writer: ProtobufWriter, exact: ExactQueryMessage): void {
  const mark = writer.open(exactField);
  writer.int64(1, exact.startMs);
  writer.int64(2, exact.endMs);
  writer.double(3, exact.stepMs); // a step may be a fraction
  writer.int64(4, exact.lookbackMs);
  writer.int64(5, exact.evaluationIntervalMs);
  writer.int64(6, exact.maxResolutionMs);
  writer.int64(7, exact.timeoutMs);
  writeTexts(writer, 8, exact.features);
  writer.close(mark);
}

function readExact(reader: ProtobufReader): ExactQueryMessage {
  const features: string[] = [];
  const numbers = [0, 0, 0, 0, 0, 0, 0, 0];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 3) numbers[3] = reader.double();
    else if (reader.field < 8) numbers[reader.field] = reader.int64();
    else if (reader.field === 8) features.push(reader.text());
    else reader.skip();
  }
  const [, startMs = 0, endMs = 0, stepMs = 0, lookbackMs = 0, evaluationIntervalMs = 0, maxResolutionMs = 0] = numbers;
  const timeoutMs = numbers[7] ?? 0;
  return { startMs, endMs, stepMs, lookbackMs, evaluationIntervalMs, maxResolutionMs, timeoutMs, features };
}

export function decodeQueryRequest(bytes: Uint8Array): Result<QueryRequestMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  const read = createSettingsReader(reader, fieldsOfInstant);
  let timeSeconds = 0;
  while (reader.nextField()) {
    if (reader.field === 2) timeSeconds = reader.int64();
    else read.field();
  }
  return reader.failure === undefined ? ok({ ...read.settings(), timeSeconds }) : fail(reader.failure);
}

export function decodeQueryRangeRequest(bytes: Uint8Array): Result<QueryRangeRequestMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  const read = createSettingsReader(reader, fieldsOfRange);
  let [startSeconds, endSeconds, intervalSeconds] = [0, 0, 0];
  while (reader.nextField()) {
    if (reader.field === 2) startSeconds = reader.int64();
    else if (reader.field === 3) endSeconds = reader.int64();
    else if (reader.field === 4) intervalSeconds = reader.int64();
    else read.field();
  }
  if (reader.failure !== undefined) return fail(reader.failure);
  return ok({ ...read.settings(), startSeconds, endSeconds, intervalSeconds });
}

/** Reads the fields that both kinds of request have, under the numbers of one. */
function createSettingsReader(reader: ProtobufReader, fields: readonly number[]) {
  let { query, timeoutSeconds, maxResolutionSeconds, enableDedup, enablePartialResponse, skipChunks } = emptySettings;
  let { lookbackSeconds, engine, responseBatchSize, exact } = emptySettings;
  const replicaLabels: string[] = [];
  const storeMatchers: Matcher[][] = [];
  const readSetting = (name: (typeof settingFields)[number]) => {
    switch (name) {
      case "timeoutSeconds":
        timeoutSeconds = reader.int64();
        return;
      case "maxResolutionSeconds":
        maxResolutionSeconds = reader.int64();
        return;
      case "replicaLabels":
        replicaLabels.push(reader.text());
        return;
      case "storeMatchers":
        storeMatchers.push(readStoreMatchers(reader));
        return;
      case "enableDedup":
        enableDedup = reader.bool();
        return;
      case "enablePartialResponse":
        enablePartialResponse = reader.bool();
        return;
      case "skipChunks":
        skipChunks = reader.bool();
        return;
      case "lookbackSeconds":
        lookbackSeconds = reader.int64();
        return;
      case "engine":
        // One from the future is as good as the default: every engine gives the same answer.
        engine = queryEngines[reader.int32()] ?? "default";
        return;
      case "responseBatchSize":
        responseBatchSize = reader.int64();
    }
  };
  return {
    field() {
      const name = settingFields[fields.indexOf(reader.field)];
      if (reader.field === 1) query = reader.text();
      else if (reader.field === exactField) exact = readExact(reader);
      else if (name === undefined) reader.skip();
      else readSetting(name);
    },
    settings: (): QuerySettings => ({
      query,
      timeoutSeconds,
      maxResolutionSeconds,
      replicaLabels,
      storeMatchers,
      enableDedup,
      enablePartialResponse,
      skipChunks,
      lookbackSeconds,
      engine,
      responseBatchSize,
      exact,
    }),
  };
}

function readStoreMatchers(reader: ProtobufReader): Matcher[] {
  const matchers: Matcher[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) matchers.push(readMatcher(reader));
    else reader.skip();
  }
  return matchers;
}

/** One message of an answer: QueryResponse and QueryRangeResponse are alike. */
export type QueryResponseMessage =
  | { readonly kind: "warning"; readonly text: string }
  | { readonly kind: "series"; readonly series: readonly TimeSeriesMessage[] } // one, or a batch
  | { readonly kind: "stats"; readonly samplesTotal: number; readonly samplesPeak: number }
  /** Of a kind that came later. */
  | { readonly kind: "unknown" };

/** One series, as every version reads it. */
export function encodeQuerySeries(series: TimeSeriesMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writeTimeSeries(writer, 2, series);
  return writer.view();
}

/** Series together, only for those who asked for a batch size above 1. */
export function encodeQueryBatch(series: readonly TimeSeriesMessage[]): Uint8Array {
  const writer = new ProtobufWriter();
  const mark = writer.open(4, 3);
  for (const one of series) writeTimeSeries(writer, 1, one);
  writer.close(mark);
  return writer.view();
}

export function encodeQueryWarning(text: string): Uint8Array {
  const writer = new ProtobufWriter();
  writer.textItem(1, text);
  return writer.view();
}

export function encodeQueryStats(samplesTotal: number, samplesPeak: number): Uint8Array {
  const writer = new ProtobufWriter();
  const mark = writer.open(3);
  writer.int64(1, samplesTotal);
  writer.int64(2, samplesPeak);
  writer.close(mark);
  return writer.view();
}

export function decodeQueryResponse(bytes: Uint8Array): Result<QueryResponseMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let message: QueryResponseMessage = { kind: "unknown" };
  while (reader.nextField()) {
    switch (reader.field) {
      case 1:
        message = { kind: "warning", text: reader.text() };
        break;
      case 2:
        message = { kind: "series", series: [readTimeSeries(reader)] };
        break;
      case 3:
        message = readStats(reader);
        break;
      case 4:
        message = { kind: "series", series: readBatch(reader) };
        break;
      default:
        reader.skip();
    }
  }
  return reader.failure === undefined ? ok(message) : fail(reader.failure);
}

function readStats(reader: ProtobufReader): QueryResponseMessage {
  let [samplesTotal, samplesPeak] = [0, 0];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) samplesTotal = reader.int64();
    else if (reader.field === 2) samplesPeak = reader.int64();
    else reader.skip();
  }
  return { kind: "stats", samplesTotal, samplesPeak };
}

function readBatch(reader: ProtobufReader): TimeSeriesMessage[] {
  const series: TimeSeriesMessage[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) series.push(readTimeSeries(reader));
    else reader.skip();
  }
  return series;
}
