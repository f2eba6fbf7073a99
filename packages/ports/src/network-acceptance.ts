import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  HttpError,
  RpcError,
  type CallOptions,
  type HttpFetchOptions,
  type HttpRequest,
  type HttpResponse,
  type HttpStreamRequest,
  type Listener,
  type Network,
  type RpcClient,
  type RpcCode,
  type RpcHandler,
} from "./network.ts";

export interface NetworkUnderTest {
  readonly network: Network;
  readonly address: string; // to listen at, with port 0
  readonly nobodyAddress: string; // nobody listens there
  /** Lets the span go by on the clock that the network uses. */
  pass(spanMs: number): Promise<void>;
  close(): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);
const never = new AbortController().signal;
const callOptions: CallOptions = { signal: never, timeoutMs: 30_000, messageBytesMax: 4_194_304 };
const fetchOptions: HttpFetchOptions = { signal: never, bodyBytesMax: 1_048_576 };

type UnaryHandle = Extract<RpcHandler, { kind: "unary" }>["handle"];
type StreamHandle = Extract<RpcHandler, { kind: "stream" }>["handle"];

export function runNetworkAcceptance(name: string, open: () => Promise<NetworkUnderTest>): void {
  describe(`network: ${name}`, () => {
    let under: NetworkUnderTest;
    let network: Network;
    let closers: (() => Promise<void>)[];

    beforeEach(async () => {
      under = await open();
      network = under.network;
      closers = [];
    });
    afterEach(async () => {
      for (const close of closers.reverse()) await close();
      await under.close();
    });

    const serve = async (handlers: Record<string, RpcHandler>, address = under.address) => {
      const listener = await network.serveRpc(address, new Map(Object.entries(handlers)));
      closers.push(() => listener.close(0));
      return listener;
    };
    const clientOf = ({ address }: Pick<Listener, "address">) => {
      const client = network.rpcClient(address);
      closers.push(() => client.close());
      return client;
    };
    const serveUnary = async (handle: UnaryHandle) => clientOf(await serve({ "/t.T/M": { kind: "unary", handle } }));
    const serveStream = async (handle: StreamHandle) => clientOf(await serve({ "/t.T/M": { kind: "stream", handle } }));
    const call = (client: RpcClient, request: string, options?: Partial<CallOptions>) =>
      client.call("/t.T/M", bytes(request), { ...callOptions, ...options });
    const stream = (client: RpcClient, request: string, options?: Partial<CallOptions>) =>
      client.stream("/t.T/M", bytes(request), { ...callOptions, ...options });
    const collect = async (items: AsyncIterable<readonly Uint8Array[]>) => {
      const messages: Uint8Array[] = [];
      for await (const item of items) messages.push(...item);
      return messages;
    };

    describe("a unary call", () => {
      it("brings the request there and the answer back", async () => {
        const client = await serveUnary(async (request) => bytes(`hello ${text(request)}`));
        expect(text(await call(client, "you"))).toBe("hello you");
      });

      it.each([0, 1, 65_531, 65_536, 1_000_000])("carries %d bytes each way", async (length) => {
        const client = await serveUnary(async (request) => request);
        const sent = Uint8Array.from({ length }, (_, i) => i % 251);
        const answer = await client.call("/t.T/M", sent, callOptions);
        expect(answer.length).toBe(length);
        expect(answer.every((byte, i) => byte === i % 251)).toBe(true);
      });

      it("is not mixed up with others under way", async () => {
        const client = await serveUnary(async (request) => request);
        const texts = Array.from({ length: 50 }, (_, i) => `call ${i}`);
        const answers = await Promise.all(texts.map((request) => call(client, request)));
        expect(answers.map(text)).toEqual(texts);
      });
    });

    describe("a stream", () => {
      it("brings all messages in their order", async () => {
        const client = await serveStream(async function* () {
          for (let i = 0; i < 100; i++) yield Array.from({ length: i % 7 }, (_, j) => bytes(`${i}.${j}`));
        });
        const expected = Array.from({ length: 100 }, (_, i) =>
          Array.from({ length: i % 7 }, (_, j) => `${i}.${j}`),
        ).flat();
        expect((await collect(stream(client, ""))).map(text)).toEqual(expected);
      });

      it("brings large messages between small and empty ones", async () => {
        const lengths = [3, 0, 200_000, 0, 65_531, 5, 1_000_000, 0];
        const client = await serveStream(async function* () {
          yield lengths.map((length, i) => new Uint8Array(length).fill(i));
        });
        const messages = await collect(stream(client, ""));
        expect(messages.map((message) => message.length)).toEqual(lengths);
        expect(messages.every((message, i) => message.every((byte) => byte === i))).toBe(true);
      });

      it("may end without a message", async () => {
        const client = await serveStream(async function* () {});
        expect(await collect(stream(client, ""))).toEqual([]);
      });

      it("does nothing before it is read", async () => {
        let calls = 0;
        const client = await serveStream(async function* () {
          calls++;
          yield [bytes("x")];
        });
        const messages = stream(client, "");
        expect(await collect(stream(client, ""))).toHaveLength(1);
        expect(calls).toBe(1);
        expect(await collect(messages)).toHaveLength(1);
      });

      it("brings what came before an error, then the error", async () => {
        const client = await serveStream(async function* () {
          yield [bytes("one"), bytes("two")];
          throw new RpcError("DATA_LOSS", "bad chunk");
        });
        const seen: string[] = [];
        const reading = (async () => {
          for await (const item of stream(client, "")) seen.push(...item.map(text));
        })();
        await expect(reading).rejects.toMatchObject({ code: "DATA_LOSS", message: "bad chunk" });
        expect(seen).toEqual(["one", "two"]);
      });

      it("is pulled no faster than it is read", { timeout: 60_000 }, async () => {
        const itemBytes = 65_536;
        let produced = 0;
        const client = await serveStream(async function* () {
          for (; produced < 2000; produced++) yield [new Uint8Array(itemBytes)];
        });
        for await (const item of stream(client, "")) {
          expect(item.length).toBeGreaterThan(0);
          // Until the handler stands still, or has shown that it does not.
          for (let before = -1; before !== produced; await pause(100)) before = produced;
          expect(produced * itemBytes).toBeLessThan(32 * 1024 * 1024);
          break;
        }
      });

      it("is cancelled at the handler when the reader leaves", async () => {
        const gone = Promise.withResolvers<AbortSignal>();
        const client = await serveStream(async function* (_request, { signal }) {
          signal.addEventListener("abort", () => gone.resolve(signal), { once: true });
          for (;;) {
            yield [bytes("more")];
            await pause(1);
            if (signal.aborted) return;
          }
        });
        for await (const item of stream(client, "")) {
          expect(text(item[0] ?? bytes(""))).toBe("more");
          break;
        }
        expect((await gone.promise).aborted).toBe(true);
      });
    });

    describe("a call that waits", () => {
      /** A client of a handler that waits for its signal, and what the handler sees. */
      const serveWaiting = async () => {
        const started = Promise.withResolvers<void>();
        const ended = Promise.withResolvers<AbortSignal>();
        const client = await serveUnary(async (_request, { signal }) => {
          signal.addEventListener("abort", () => ended.resolve(signal), { once: true });
          started.resolve();
          await ended.promise;
          return bytes("too late");
        });
        return { client, started: started.promise, ended: ended.promise };
      };

      it.each([
        ["an abort", new Error("no longer wanted"), "CANCELLED"],
        ["a deadline signal", new DOMException("late", "TimeoutError"), "DEADLINE_EXCEEDED"],
      ])("is ended by %s, at the handler too", async (_rule, reason, code) => {
        const { client, started, ended } = await serveWaiting();
        const controller = new AbortController();
        const answer = call(client, "", { signal: controller.signal });
        const outcome = expect(answer).rejects.toMatchObject({ name: "RpcError", code });
        await started;
        controller.abort(reason);
        await outcome;
        expect((await ended).aborted).toBe(true);
      });

      it("is ended by its own timeout, at the handler too", async () => {
        const { client, started, ended } = await serveWaiting();
        const outcome = expect(call(client, "", { timeoutMs: 300 })).rejects.toMatchObject({
          code: "DEADLINE_EXCEEDED",
        });
        await started;
        await under.pass(301);
        await outcome;
        expect((await ended).aborted).toBe(true);
      });

      it.each([
        ["with an aborted signal", { signal: AbortSignal.abort() }, "CANCELLED"],
        ["without time", { timeoutMs: 0 }, "DEADLINE_EXCEEDED"],
      ])("does not start %s", async (_rule, options, code) => {
        let calls = 0;
        const client = await serveUnary(async (request) => {
          calls++;
          return request;
        });
        await expect(call(client, "", options)).rejects.toMatchObject({ code });
        await expect(collect(stream(client, "", options))).rejects.toMatchObject({ code });
        await call(client, "");
        expect(calls).toBe(1);
      });
    });

    describe("a status", () => {
      const codes: readonly RpcCode[] = [
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
      ];
      it("comes through as the handler threw it", async () => {
        const client = await serveUnary(async (request) => {
          throw new RpcError(text(request) as RpcCode, `because of ${text(request)}`);
        });
        for (const code of codes) {
          await expect(call(client, code)).rejects.toMatchObject({ code, message: `because of ${code}` });
        }
      });

      it.each(["100 % sure", "two\nlines", "한국어 \u{1F600}", "", "%41 stays"])(
        "has any text: %j",
        async (message) => {
          const client = await serveUnary(async () => {
            throw new RpcError("ABORTED", message);
          });
          await expect(call(client, "")).rejects.toMatchObject({ code: "ABORTED", message });
        },
      );

      it("is INTERNAL for any other error of the handler", async () => {
        const client = await serveUnary(async () => {
          throw new TypeError("a bug");
        });
        await expect(call(client, "")).rejects.toMatchObject({ code: "INTERNAL", message: "a bug" });
      });

      it("is UNIMPLEMENTED for an unknown method", async () => {
        const client = await serveUnary(async (request) => request);
        await expect(client.call("/t.T/Other", bytes(""), callOptions)).rejects.toMatchObject({
          code: "UNIMPLEMENTED",
          message: "unknown method /t.T/Other",
        });
      });

      it("is RESOURCE_EXHAUSTED for an answer over the limit", async () => {
        const options = { messageBytesMax: 10 };
        const unary = await serveUnary(async (request) => request);
        expect(text(await call(unary, "0123456789", options))).toBe("0123456789");
        await expect(call(unary, "0123456789a", options)).rejects.toMatchObject({
          code: "RESOURCE_EXHAUSTED",
          message: "message of 11 bytes, limit 10",
        });
        const streaming = await serveStream(async function* (request) {
          yield [request];
        });
        await expect(collect(stream(streaming, "0123456789a", options))).rejects.toMatchObject({
          code: "RESOURCE_EXHAUSTED",
        });
      });

      it("is UNAVAILABLE, with the address, where nobody listens", async () => {
        const client = clientOf({ address: under.nobodyAddress });
        await expect(call(client, "")).rejects.toMatchObject({
          code: "UNAVAILABLE",
          message: expect.stringContaining(under.nobodyAddress) as string,
        });
      });
    });

    describe("a listener", () => {
      it("tells the address that it has bound", async () => {
        const { address } = await serve({});
        expect(address).toMatch(/:[1-9]\d*$/);
      });

      it("refuses an address that is taken, naming it", async () => {
        const { address } = await serve({});
        await expect(network.serveRpc(address, new Map())).rejects.toThrow(`${address}: address already in use`);
        await expect(network.serveHttp(address, async () => plain("x"))).rejects.toThrow(
          `${address}: address already in use`,
        );
      });

      it("that comes back at its address is found again", async () => {
        const echo: RpcHandler = { kind: "unary", handle: async (request) => request };
        const first = await network.serveRpc(under.address, new Map([["/t.T/M", echo]]));
        const client = clientOf(first);
        await call(client, "before");
        await first.close(0);
        await expect(call(client, "gone")).rejects.toMatchObject({ code: "UNAVAILABLE" });
        await serve({ "/t.T/M": echo }, first.address);
        let answer: string | undefined;
        for (let attempt = 0; answer === undefined && attempt < 200; attempt++) {
          try {
            answer = text(await call(client, "after"));
          } catch (error) {
            expect(error).toMatchObject({ code: "UNAVAILABLE" });
            await under.pass(50);
          }
        }
        expect(answer).toBe("after");
      });

      it("lets a call end within the grace of its close", async () => {
        const gate = Promise.withResolvers<void>();
        const started = Promise.withResolvers<void>();
        const handle: UnaryHandle = async (request) => {
          started.resolve();
          await gate.promise;
          return request;
        };
        const listener = await serve({ "/t.T/M": { kind: "unary", handle } });
        const client = clientOf(listener);
        const answer = call(client, "patience");
        await started.promise;
        const closed = listener.close(60_000);
        gate.resolve();
        expect(text(await answer)).toBe("patience");
        await closed;
        await expect(call(client, "more")).rejects.toMatchObject({ code: "UNAVAILABLE" });
      });

      it("cuts a call that outlasts the grace", async () => {
        const started = Promise.withResolvers<void>();
        const ended = Promise.withResolvers<void>();
        const handle: UnaryHandle = async (request, { signal }) => {
          signal.addEventListener("abort", () => ended.resolve(), { once: true });
          started.resolve();
          await ended.promise;
          return request;
        };
        const listener = await serve({ "/t.T/M": { kind: "unary", handle } });
        const outcome = expect(call(clientOf(listener), "")).rejects.toMatchObject({ code: "UNAVAILABLE" });
        await started.promise;
        await listener.close(0);
        await outcome;
        await ended.promise;
      });
    });

    describe("HTTP", () => {
      const serveHttp = async (handle: (request: HttpRequest) => Promise<HttpResponse>) => {
        const listener = await network.serveHttp(under.address, handle);
        closers.push(() => listener.close(0));
        return `http://${listener.address}`;
      };
      const fetchText = async (url: string, options?: Partial<HttpFetchOptions>) => {
        const answer = await network.fetchHttp(url, { ...fetchOptions, ...options });
        return { status: answer.status, type: answer.headers.get("content-type"), body: text(answer.body) };
      };

      it("brings the request as it was sent", async () => {
        const seen: HttpRequest[] = [];
        const url = await serveHttp(async (request) => {
          seen.push(request);
          return plain("");
        });
        await network.fetchHttp(`${url}/api/v1/label/a%2Fb/values?match[]=up%7Ba%3D%22b%22%7D&x=1`, {
          ...fetchOptions,
          method: "POST",
          headers: { "content-type": "text/x-test", "X-Scope": "Case Kept" },
          body: "the body",
        });
        const [request] = seen;
        expect(request).toMatchObject({
          method: "POST",
          path: "/api/v1/label/a%2Fb/values",
          query: "match[]=up%7Ba%3D%22b%22%7D&x=1",
        });
        expect(request?.headers.get("content-type")).toBe("text/x-test");
        expect(request?.headers.get("x-scope")).toBe("Case Kept");
        expect(text(request?.body ?? bytes(""))).toBe("the body");
      });

      it.each<readonly [string, () => HttpResponse["body"]]>([
        ["text", () => "sum of 한국어"],
        ["bytes", () => bytes("sum of 한국어")],
        [
          "parts",
          async function* () {
            for (const part of ["sum ", "of ", "한국어"]) yield bytes(part);
          },
        ],
      ])("answers with %s", async (_form, body) => {
        const url = await serveHttp(async () => ({
          status: 200,
          headers: { "content-type": "text/plain" },
          body: body(),
        }));
        expect(await fetchText(url)).toEqual({ status: 200, type: "text/plain", body: "sum of 한국어" });
      });

      it("brings a large body whole, also repetitive", async () => {
        const url = await serveHttp(async () => plain("0123456789".repeat(100_000)));
        expect((await fetchText(url)).body).toBe("0123456789".repeat(100_000));
      });

      it.each([204, 301, 404, 422, 503])("takes status %d for an answer, and follows nothing", async (status) => {
        const url = await serveHttp(async ({ path }) =>
          path === "/" ? { status, headers: { location: "/other" }, body: "" } : plain("followed"),
        );
        expect(await fetchText(url)).toMatchObject({ status, body: "" });
      });

      it("answers 500 for an error of the handler, without a word of it", async () => {
        const url = await serveHttp(async () => {
          throw new Error("secret of the house");
        });
        const answer = await fetchText(url);
        expect(answer).toMatchObject({ status: 500, type: "application/json" });
        expect(JSON.parse(answer.body)).toEqual({ status: "error", errorType: "internal", error: "internal error" });
      });

      it("tells the handler that the client has gone", async () => {
        const gone = Promise.withResolvers<void>();
        const started = Promise.withResolvers<void>();
        const url = await serveHttp(async ({ signal }) => {
          signal.addEventListener("abort", () => gone.resolve(), { once: true });
          started.resolve();
          await gone.promise;
          return plain("");
        });
        const controller = new AbortController();
        const outcome = expect(fetchText(url, { signal: controller.signal })).rejects.toMatchObject({
          kind: "canceled",
        });
        await started.promise;
        controller.abort();
        await outcome;
        await gone.promise;
      });

      const failures: readonly (readonly [string, HttpError["kind"], () => Promise<unknown>])[] = [
        ["a body over the limit", "too-large", async () => fetchText(await huge(), { bodyBytesMax: 999_999 })],
        ["an aborted signal", "canceled", async () => fetchText(await huge(), { signal: AbortSignal.abort() })],
        [
          "a passed deadline",
          "timeout",
          async () => fetchText(await huge(), { signal: AbortSignal.abort(new DOMException("late", "TimeoutError")) }),
        ],
        ["nobody listening", "unreachable", () => fetchText(`http://${under.nobodyAddress}/metrics`)],
        ["what is no URL", "protocol", () => fetchText("target:9100")],
        ["a URL of another kind", "protocol", () => fetchText("ftp://127.0.0.1/metrics")],
      ];
      const huge = () => serveHttp(async () => plain("x".repeat(1_000_000)));
      it.each(failures)("fails for %s", async (_rule, kind, act) => {
        await expect(act()).rejects.toMatchObject({ name: "HttpError", kind });
      });

      it("asks whether there is room for each part of a body", async () => {
        let left = 1_000_000;
        const admitBytes = (bytes: number) => (left -= bytes) >= 0;
        expect((await fetchText(await huge(), { admitBytes })).body.length).toBe(1_000_000);
        expect(left).toBe(0);
        await expect(fetchText(await huge(), { admitBytes })).rejects.toMatchObject({ kind: "too-large" });
      });

      it.each(["", "page of metrics", "x".repeat(1_000_000)])(
        "puts a body where there is room for it (%#)",
        async (page) => {
          const url = await serveHttp(async () => plain(page));
          const room = new Uint8Array(1_000_100).fill(0x2e);
          const asked: number[] = [];
          const bodyRoom = (bytes: number) => {
            asked.push(bytes);
            return room;
          };
          const { body } = await network.fetchHttp(url, { ...fetchOptions, bodyRoom });
          expect([asked, text(body), body.buffer === room.buffer]).toEqual([[page.length], page, true]);
          expect(text(room.subarray(0, page.length + 10))).toBe(`${page}..........`);
        },
      );

      it("takes a body at the limit", async () => {
        expect((await fetchText(await huge(), { bodyBytesMax: 1_000_000 })).body.length).toBe(1_000_000);
      });

      it.each(["GET", "HEAD", "POST", "PUT", "DELETE"] as const)("asks by %s", async (method) => {
        const url = await serveHttp(async (request) => plain(request.method));
        expect((await fetchText(url, { method })).body).toBe(method === "HEAD" ? "" : method);
      });

      describe("in streams", () => {
        const serveStreams = async (handle: (request: HttpStreamRequest) => Promise<HttpResponse>) => {
          const listener = await network.serveHttpStreams(under.address, handle);
          closers.push(() => listener.close(0));
          return `http://${listener.address}`;
        };

        it("brings a body of any length in parts", async () => {
          const url = await serveStreams(async ({ method, body }) => {
            let byteCount = 0;
            for await (const part of body) {
              byteCount += part.length;
              if (part.length > 1_048_576) throw new Error("a part is too long");
            }
            return plain(`${method} ${byteCount}`);
          });
          const body = new Uint8Array(20_000_000);
          expect((await fetchText(url, { method: "PUT", body })).body).toBe("PUT 20000000");
          expect((await fetchText(url, { method: "POST" })).body).toBe("POST 0");
        });

        it("can be answered before the body was read, and the connection goes on", async () => {
          const url = await serveStreams(async () => ({ ...plain("refused"), status: 403 }));
          for (let i = 0; i < 3; i++) {
            const body = new Uint8Array(3_000_000);
            expect(await fetchText(url, { method: "PUT", body })).toMatchObject({ status: 403, body: "refused" });
          }
        });

        it("keeps HEAD and the length that the handler tells", async () => {
          const url = await serveStreams(async ({ method }) => ({
            status: 200,
            headers: { "content-length": "12345", "x-method": method },
            body: "",
          }));
          const answer = await network.fetchHttp(url, { ...fetchOptions, method: "HEAD" });
          expect([answer.headers.get("content-length"), answer.headers.get("x-method")]).toEqual(["12345", "HEAD"]);
        });

        it("answers with a part of an object and its length", async () => {
          const url = await serveStreams(async () => ({
            status: 206,
            headers: { "content-range": "bytes 0-9/100", "content-length": "10", etag: '"x"' },
            body: (async function* () {
              yield bytes("01234");
              yield bytes("56789");
            })(),
          }));
          const answer = await network.fetchHttp(url, fetchOptions);
          expect([answer.status, text(answer.body)]).toEqual([206, "0123456789"]);
          expect(answer.headers.get("content-range")).toBe("bytes 0-9/100");
          expect(answer.headers.get("content-length")).toBe("10");
        });

        it("compresses nothing", async () => {
          const url = await serveStreams(async () => plain("0123456789".repeat(1000)));
          const answer = await network.fetchHttp(url, fetchOptions);
          expect([answer.body.length, answer.headers.get("content-encoding")]).toEqual([10_000, undefined]);
        });

        it.each(["GET", "HEAD", "PUT"] as const)("closes the connection of %s without an answer", async (method) => {
          const url = await serveStreams(async () => {
            throw new HttpError("canceled", "no answer");
          });
          await expect(fetchText(url, { method })).rejects.toMatchObject({ name: "HttpError", kind: "unreachable" });
        });

        it("answers 500 for an error of the handler, without a word of it", async () => {
          const url = await serveStreams(async () => {
            throw new Error("secret of the house");
          });
          const answer = await fetchText(url);
          expect(answer.status).toBe(500);
          expect(answer.body).not.toContain("secret");
        });
      });

      it("is not answered after the listener's close", async () => {
        const listener = await network.serveHttp(under.address, async () => plain("here"));
        await fetchText(`http://${listener.address}`);
        await listener.close(1000);
        await expect(fetchText(`http://${listener.address}`)).rejects.toMatchObject({ kind: "unreachable" });
      });
    });
  });
}

function plain(body: string): HttpResponse {
  return { status: 200, headers: { "content-type": "text/plain" }, body };
}

/** Real time, for what runs beside the test; nothing is concluded from its length. */
function pause(spanMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, spanMs));
}
