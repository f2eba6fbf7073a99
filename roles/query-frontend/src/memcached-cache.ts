/**
 * Answers kept in one memcached, by its text protocol over one connection: questions go out as they come, answers come back
 * in their order. Whatever is not exactly the answer that is due ends the connection, and all that wait for one fail: a late
 * answer is never taken for another's. Values carry a digest, so that bytes that are not ours are not known.
 */
import { createHash } from "node:crypto";
import { joinBytes, type ConnectTcp, type TcpConnection } from "@pleiad/ports";
import type { ResultsCache } from "./results-cache.ts";

export interface MemcachedCacheOptions {
  readonly host: string;
  readonly port: number;
  readonly expirationMs: number;
  readonly itemBytesMax: number; // one that is larger is not sent; memcached itself takes 1 MiB unless told otherwise
  readonly questionsMax: number; // that wait for an answer at once; more are refused
  readonly pendingBytesMax: number; // of values on their way there; more are refused
}

export const defaultMemcachedCache: Omit<MemcachedCacheOptions, "host" | "port"> = {
  expirationMs: 86_400_000,
  itemBytesMax: 1024 * 1024,
  questionsMax: 256,
  pendingBytesMax: 16 * 1024 * 1024,
};

/** Beyond this memcached takes a number of seconds for a date. */
const expirationSecondsMax = 30 * 86_400;
const digestBytes = 16;
const answerLineMax = 512;
const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");
const noBytes = new Uint8Array(0);

/** A question that waits. `take` gives what is wrong about the bytes, or how many of them were its answer; 0: more must come. */
interface Waiting {
  take(bytes: Uint8Array): number | string;
  fail(error: Error): void;
  readonly bytes: number; // that it sent
}

interface Link {
  readonly connection: TcpConnection;
  readonly waiting: Waiting[]; // in the order of their questions
}

/** Connects when it is first asked, and again after a loss. */
export function createMemcachedCache(
  { host, port, ...options }: MemcachedCacheOptions,
  connectTcp: ConnectTcp,
): ResultsCache {
  const { itemBytesMax, questionsMax, pendingBytesMax } = options;
  const expirationSeconds = Math.min(Math.ceil(options.expirationMs / 1000), expirationSecondsMax);
  let link: Link | undefined;
  let pendingBytes = 0;

  function open(): Link {
    const waiting: Waiting[] = [];
    let received: Uint8Array = noBytes;
    const end = (reason: string) => {
      if (link === own) link = undefined;
      const failed = waiting.splice(0);
      connection.destroy();
      for (const one of failed) {
        pendingBytes -= one.bytes;
        one.fail(new Error(`memcached ${host}:${port}: ${reason}`));
      }
    };
    const connection = connectTcp(host, port, {
      onBytes(bytes) {
        received = received.length === 0 ? bytes : joinBytes([received, bytes]);
        while (received.length > 0) {
          const [first] = waiting;
          if (first === undefined) return end("it said something that nobody asked");
          const taken = first.take(received);
          if (typeof taken === "string") return end(taken);
          if (taken === 0) return;
          waiting.shift();
          pendingBytes -= first.bytes;
          received = received.subarray(taken);
        }
      },
      onEnd: (reason) => end(reason ?? "it closed the connection"),
    });
    const own: Link = { connection, waiting };
    link = own;
    return own;
  }

  /** Rejects where the answer is none, or the signal aborts: then the connection is given up with it. */
  async function ask<T>(
    request: readonly Uint8Array[],
    signal: AbortSignal,
    take: (bytes: Uint8Array, answer: (value: T) => void) => number | string,
  ): Promise<T> {
    signal.throwIfAborted();
    const bytes = request.reduce((sum, part) => sum + part.length, 0);
    const { connection, waiting } = link ?? open();
    if (waiting.length >= questionsMax) throw new Error(`more than ${questionsMax} questions wait for memcached`);
    if (pendingBytes + bytes > pendingBytesMax)
      throw new Error(`more than ${pendingBytesMax} bytes wait for memcached`);
    pendingBytes += bytes;
    return await new Promise<T>((resolve, reject) => {
      const giveUp = () => connection.destroy();
      signal.addEventListener("abort", giveUp, { once: true });
      const settle = () => signal.removeEventListener("abort", giveUp);
      waiting.push({
        bytes,
        take: (received) =>
          take(received, (value) => {
            settle();
            resolve(value);
          }),
        fail(error) {
          settle();
          reject(signal.aborted ? (signal.reason as Error) : error);
        },
      });
      for (const part of request) connection.write(part);
    });
  }

  return {
    async read(key, signal) {
      return await ask<Uint8Array | undefined>([encoder.encode(`get ${key}\r\n`)], signal, (bytes, answer) =>
        takeValue(bytes, key, itemBytesMax + digestBytes, answer),
      );
    },
    async write(key, value, signal) {
      if (value.length > itemBytesMax) return;
      const header = `set ${key} 0 ${expirationSeconds} ${value.length + digestBytes}\r\n`;
      const request = [encoder.encode(header), digestOf(key, value), value, encoder.encode("\r\n")];
      await ask<undefined>(request, signal, (bytes, answer) => takeLine(bytes, answer));
    },
    async close() {
      link?.connection.destroy();
    },
  };
}

/** Of the key too: a value under another's name is not known. */
function digestOf(key: string, value: Uint8Array): Uint8Array {
  return createHash("sha256").update(key).update("\0").update(value).digest().subarray(0, digestBytes);
}

/** `END`, or one VALUE of this key and then `END`. */
function takeValue(
  bytes: Uint8Array,
  key: string,
  valueBytesMax: number,
  answer: (value: Uint8Array | undefined) => void,
): number | string {
  const line = lineOf(bytes);
  if (line === undefined) return bytes.length > answerLineMax ? "an answer without end" : 0;
  if (line === "END") {
    answer(undefined);
    return line.length + 2;
  }
  const [, named = "", length = ""] = /^VALUE (\S+) \d+ (\d{1,10})$/.exec(line) ?? [];
  if (named !== key) return `it answered ${JSON.stringify(line.slice(0, 100))}`;
  const from = line.length + 2;
  const to = from + Number(length);
  if (Number(length) > valueBytesMax) return `a value of ${length} bytes`;
  const end = to + ending.length;
  if (bytes.length < end) return 0;
  if (decoder.decode(bytes.subarray(to, end)) !== ending) return "a value that does not end where it should";
  const value = bytes.slice(from + digestBytes, to);
  const digest = bytes.subarray(from, from + digestBytes);
  const wanted = digestOf(key, value);
  const isOurs = Number(length) >= digestBytes && wanted.every((byte, i) => byte === digest[i]);
  answer(isOurs ? value : undefined);
  return end;
}

const ending = "\r\nEND\r\n";

/** `STORED`, or why it was not: a value that memcached has no room for is one that it does not know. */
function takeLine(bytes: Uint8Array, answer: (value: undefined) => void): number | string {
  const line = lineOf(bytes);
  if (line === undefined) return bytes.length > answerLineMax ? "an answer without end" : 0;
  if (!/^(?:STORED|NOT_STORED|SERVER_ERROR (?:out of memory|object too large).*)$/.test(line)) {
    return `it answered ${JSON.stringify(line.slice(0, 100))}`;
  }
  answer(undefined);
  return line.length + 2;
}

/** The first line, without its end; undefined where that has not come. */
function lineOf(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0x0a);
  if (end < 1 || bytes[end - 1] !== 0x0d || end > answerLineMax) return undefined;
  return decoder.decode(bytes.subarray(0, end - 1));
}
