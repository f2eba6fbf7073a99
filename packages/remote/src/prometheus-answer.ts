/** Answers of Prometheus's HTTP API: the envelope, and values of JSON as what they must be. */
import { fail, labelsFromRecord, emptyLabels, ok, type Labels, type Result, type SourceFailure } from "@pleiad/model";
import type { PrometheusClient } from "./prometheus-client.ts";

/** The `data` of an answer. With a form it is asked by POST. */
export async function askApi(
  client: PrometheusClient,
  path: string,
  form: URLSearchParams | undefined,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Result<unknown, SourceFailure>> {
  const options =
    form === undefined
      ? { bodyBytesMax: bytesMax }
      : {
          method: "POST" as const,
          headers: { "content-type": "application/x-www-form-urlencoded" },
          body: form.toString(),
          bodyBytesMax: bytesMax,
        };
  const answer = await client.ask(path, options, signal);
  if (!answer.ok) return answer;
  const body = parseJson(answer.value.body);
  if (!isRecord(body) || body["status"] !== "success") {
    return fail({ kind: "corrupt", source: client.name, reason: `${path}: no answer of its API` });
  }
  return ok(body["data"]);
}

/** Time beyond this is no time to Prometheus: it takes years of four digits, and this is all a sample can have. */
export const timeMsMax = 8.64e15;

export function secondsOf(timeMs: number): string {
  return (Math.max(-timeMsMax, Math.min(timeMs, timeMsMax)) / 1000).toFixed(3);
}

export type JsonRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isTextRecord(value: unknown): value is Readonly<Record<string, string>> {
  return isRecord(value) && Object.values(value).every((one) => typeof one === "string");
}

/** Thrown by the readers below, and caught by `readAnswer`: an answer is read whole or not at all. */
class AnswerFault extends Error {}

/** What `read` makes of an answer; a failure where a value in it is not what it must be. */
export function readAnswer<T>(source: string, path: string, read: () => T): Result<T, SourceFailure> {
  try {
    return ok(read());
  } catch (fault) {
    if (!(fault instanceof AnswerFault)) throw fault;
    return fail({ kind: "corrupt", source, reason: `${path}: ${fault.message}` });
  }
}

export function recordOf(value: unknown, what: string): JsonRecord {
  if (isRecord(value)) return value;
  throw new AnswerFault(`${what} is no object`);
}

/** The elements of a list, each an object; of null, with which Go writes an empty list, none. */
export function recordsOf(value: unknown, what: string): readonly JsonRecord[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new AnswerFault(`${what} is no list`);
  return value.map((one) => recordOf(one, what));
}

/** A field that may be absent: then it is "". */
export function textIn(record: JsonRecord, name: string): string {
  const value = record[name] ?? "";
  if (typeof value === "string") return value;
  throw new AnswerFault(`${name} is no text`);
}

/** A field that may be absent: then it is 0. */
export function numberIn(record: JsonRecord, name: string): number {
  const value = record[name] ?? 0;
  if (typeof value === "number") return value;
  throw new AnswerFault(`${name} is no number`);
}

/** A field that may be absent: then there are none. */
export function labelsIn(record: JsonRecord, name: string): Labels {
  const value = record[name];
  if (value === null || value === undefined) return emptyLabels;
  if (isTextRecord(value)) return labelsFromRecord(value);
  throw new AnswerFault(`${name} are no labels`);
}

/** One of some words. */
export function wordIn<Word extends string>(record: JsonRecord, name: string, words: readonly Word[]): Word {
  const value = record[name];
  const word = words.find((one) => one === value);
  if (word !== undefined) return word;
  throw new AnswerFault(`${name} is ${JSON.stringify(value)} instead of one of ${words.join(", ")}`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** For what a reader finds wrong itself. */
export function refuse(reason: string): never {
  throw new AnswerFault(reason);
}
