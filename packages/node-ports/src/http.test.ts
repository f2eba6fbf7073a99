/** HTTP listeners as any client meets them, by Node's own client and by hand over sockets. */
import { once } from "node:events";
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { gunzipSync, gzipSync } from "node:zlib";
import type { HttpRequest, HttpResponse, HttpStreamRequest } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpLimits } from "./http-limits.ts";
import { createNodePorts } from "./node-ports.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const json = (body: string): HttpResponse => ({ status: 200, headers: { "content-type": "application/json" }, body });
const never = new AbortController().signal;

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

const networkWith = (http: Partial<HttpLimits> = {}) =>
  createNodePorts({ observations: silentObservations(), limits: { http } }).network;

async function serve(handle: (request: HttpRequest) => Promise<HttpResponse>, limits: Partial<HttpLimits> = {}) {
  const listener = await networkWith(limits).serveHttp("127.0.0.1:0", handle);
  closers.push(() => listener.close(0));
  return { listener, port: Number(listener.address.split(":")[1]) };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function ask(port: number, options: RequestOptions = {}, body?: string | Uint8Array): Promise<Answer> {
  const request = httpRequest({ host: "127.0.0.1", port, agent: false, ...options });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) };
}

/** Sends text as it is, gives all that comes back until the server closes. */
async function askRaw(port: number, sent: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(sent);
  let answer = "";
  socket.on("data", (chunk) => {
    answer += String(chunk);
  });
  await once(socket, "close");
  return answer;
}

const errorOf = ({ body }: Pick<Answer, "body">) => JSON.parse(String(body)) as unknown;

describe("listener", () => {
  const long = JSON.stringify({ data: "0123456789".repeat(1000) });

  it.each([
    ["gzip", "gzip"],
    ["gzip;q=0.5, deflate", "gzip"],
    ["*", "gzip"],
    ["gzip;q=0", undefined],
    ["deflate, br", undefined],
    [undefined, undefined],
  ])("for accept-encoding %j compresses with %j", async (accepted, encoding) => {
    const { port } = await serve(async () => json(long));
    const headers = accepted === undefined ? {} : { "accept-encoding": accepted };
    const answer = await ask(port, { headers });
    expect(answer.headers["content-encoding"]).toBe(encoding);
    expect(answer.headers.vary).toBe("Accept-Encoding");
    expect(String(encoding === "gzip" ? gunzipSync(answer.body) : answer.body)).toBe(long);
    expect(answer.headers["content-length"]).toBe(String(answer.body.length));
  });

  it.each<readonly [string, HttpResponse]>([
    ["a short body", json("x".repeat(1023))],
    ["a picture", { status: 200, headers: { "content-type": "image/png" }, body: "x".repeat(5000) }],
    [
      "what is compressed already",
      { status: 200, headers: { "content-type": "text/plain", "content-encoding": "zstd" }, body: "x".repeat(5000) },
    ],
  ])("does not compress %s", async (_rule, response) => {
    const { port } = await serve(async () => response);
    const answer = await ask(port, { headers: { "accept-encoding": "gzip" } });
    expect(answer.headers["content-encoding"]).not.toBe("gzip");
    expect(String(answer.body)).toBe(response.body);
  });

  it("compresses a streamed body", async () => {
    const { port } = await serve(async () => ({
      status: 200,
      headers: { "content-type": "application/json" },
      body: (async function* () {
        for (let i = 0; i < 100; i++) yield bytes(`line ${i}\n`);
      })(),
    }));
    const answer = await ask(port, { headers: { "accept-encoding": "gzip" } });
    expect(String(gunzipSync(answer.body))).toMatch(/^line 0\n[^]*line 99\n$/);
  });

  it("answers HEAD as GET without the body", async () => {
    const { port } = await serve(async ({ method }) => json(JSON.stringify({ method })));
    const answer = await ask(port, { method: "HEAD" });
    expect(answer).toMatchObject({ status: 200, headers: { "content-length": "16" } });
    expect(answer.body.length).toBe(0);
  });

  it(
    "pulls a streamed body no faster than it is read, and stops it when the client goes",
    { timeout: 30_000 },
    async () => {
      let produced = 0;
      const stopped = Promise.withResolvers<void>();
      const { port } = await serve(async () => ({
        status: 200,
        headers: { "content-type": "application/octet-stream" },
        body: (async function* () {
          try {
            for (; produced < 2000; produced++) yield new Uint8Array(65_536);
          } finally {
            stopped.resolve();
          }
        })(),
      }));
      const request = httpRequest({ host: "127.0.0.1", port, agent: false });
      request.on("error", () => {});
      request.end();
      const [response] = (await once(request, "response")) as [IncomingMessage];
      response.on("error", () => {});
      for (let before = -1; before !== produced; await new Promise((resolve) => setTimeout(resolve, 100))) {
        before = produced;
      }
      expect(produced * 65_536).toBeLessThan(32 * 1024 * 1024);
      response.destroy();
      await stopped.promise;
      expect(produced).toBeLessThan(2000);
    },
  );

  it("cuts the connection when a streamed body fails, so that half is not taken for whole", async () => {
    const { port } = await serve(async () => ({
      status: 200,
      headers: {},
      body: (async function* () {
        yield bytes("half");
        throw new Error("disk");
      })(),
    }));
    await expect(ask(port)).rejects.toThrow(/aborted|hang up/);
  });

  it("answers 413 to a body over the limit, however it is sent", async () => {
    const { port } = await serve(async ({ body }) => json(String(body.length)));
    expect(String((await ask(port, { method: "POST" }, new Uint8Array(1_048_576))).body)).toBe("1048576");
    const announced = await askRaw(port, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1048577\r\n\r\n");
    expect(announced).toContain("HTTP/1.1 413 ");
    expect(announced).toContain(
      '{"status":"error","errorType":"bad_data","error":"request body of more than 1048576 bytes"}',
    );
    const chunk = `${(65_536).toString(16)}\r\n${"x".repeat(65_536)}\r\n`;
    const head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    expect(await askRaw(port, head + chunk.repeat(20))).toContain("HTTP/1.1 413 ");
  });

  it.each([
    ["a POST without a body has none", "POST / HTTP/1.1\r\n", "", "POST "],
    [
      "a POST's body comes whole, chunks joined",
      "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n",
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
      "POST abcde",
    ],
    [
      "a type that is no type does not matter",
      "PUT / HTTP/1.1\r\ncontent-type: ;\r\ncontent-length: 2\r\n",
      "ab",
      "PUT ab",
    ],
    ["the body of a GET is thrown away", "GET / HTTP/1.1\r\ncontent-length: 2\r\n", "ab", "GET "],
  ])("reads bodies: %s", async (_rule, head, body, seen) => {
    const { port } = await serve(async (request) => json(`${request.method} ${Buffer.from(request.body).toString()}`));
    const answer = await askRaw(port, `${head}host: x\r\nconnection: close\r\n\r\n${body}`);
    expect(answer).toContain("HTTP/1.1 200 ");
    expect(answer.endsWith(`\r\n\r\n${seen}`)).toBe(true);
  });

  it("does not hand over a request whose client goes before the end of its body", async () => {
    const seen: string[] = [];
    const { port } = await serve(async ({ path }) => {
      seen.push(path);
      return json("{}");
    });
    const socket = connect(port, "127.0.0.1");
    socket.write("POST /half HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf");
    await once(socket, "connect");
    socket.destroy();
    expect((await ask(port, { path: "/next" })).status).toBe(200);
    expect(seen).toEqual(["/next"]);
  });

  it.each([
    ["a path that does not decode", "GET /%zz HTTP/1.1\r\nhost: x\r\n\r\n", 400],
    ["what is not HTTP", "hello\r\n\r\n", 400],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["a header of 17 KiB", `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(17_000)}\r\n\r\n`, 431],
  ])("answers %s with an error, and closes", async (_rule, sent, status) => {
    const { port } = await serve(async () => json("{}"));
    const answer = await askRaw(port, sent);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(answer.toLowerCase()).toContain("connection: close");
    expect((await ask(port)).status).toBe(200);
  });

  it("takes any method and path", async () => {
    const { port } = await serve(async ({ method, path }) => json(`${method} ${path}`));
    for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      expect(String((await ask(port, { method, path: "/a//b/../c%2F?x=1" })).body)).toBe(`${method} /a//b/../c%2F`);
    }
    expect(await askRaw(port, "GET http://other/metrics?x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).toContain(
      "GET /metrics",
    );
    expect(await ask(port, { method: "PROPFIND" })).toMatchObject({ status: 405 });
  });

  it("answers with an error in JSON, and without a word of the cause, when a handler answers nonsense", async () => {
    const { port } = await serve(async () => ({ status: 200, headers: { "bad name": "x" }, body: "" }));
    const answer = await ask(port);
    expect(answer.status).toBe(500);
    expect(errorOf(answer)).toEqual({ status: "error", errorType: "internal", error: "internal error" });
  });

  it("closes a connection whose headers do not come", { timeout: 20_000 }, async () => {
    const { port } = await serve(async () => json("{}"), { headersTimeoutMs: 100, requestTimeoutMs: 200 });
    expect(await askRaw(port, "GET / HTTP/1.1\r\nhost: x\r\n")).toContain("HTTP/1.1 408 ");
  });

  it("takes no more connections than its limit", async () => {
    const { port } = await serve(async () => json("{}"), { connectionsMax: 3 });
    const sockets = Array.from({ length: 3 }, () => connect(port, "127.0.0.1"));
    closers.push(() => sockets.forEach((socket) => socket.destroy()));
    await Promise.all(
      sockets.map(async (socket) => {
        socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        await once(socket, "data");
      }),
    );
    expect(await askRaw(port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n")).toBe("");
  });

  it("lets a request end within the grace of its close, and asks for the connection to be closed", async () => {
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const { port, listener } = await serve(async () => {
      started.resolve();
      await gate.promise;
      return json("{}");
    });
    const answer = ask(port, { headers: { connection: "keep-alive" } });
    await started.promise;
    const closed = listener.close(60_000);
    gate.resolve();
    expect(await answer).toMatchObject({ status: 200, headers: { connection: "close" } });
    await closed;
  });

  it("cuts a request that outlasts the grace", async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const { port, listener } = await serve(({ signal }) => {
      started.resolve(signal);
      return new Promise<HttpResponse>(() => {});
    });
    const outcome = expect(ask(port)).rejects.toThrow("socket hang up");
    const signal = await started.promise;
    await listener.close(0);
    await outcome;
    expect(signal.aborted).toBe(true);
  });
});

describe("listener in streams", () => {
  const serveStreams = async (
    handle: (request: HttpStreamRequest) => Promise<HttpResponse>,
    limits: Partial<HttpLimits> = {},
  ) => {
    const listener = await networkWith(limits).serveHttpStreams("127.0.0.1:0", handle);
    closers.push(() => listener.close(0));
    return Number(listener.address.split(":")[1]);
  };
  const countBytes = async ({ body }: HttpStreamRequest) => {
    let byteCount = 0;
    for await (const part of body) byteCount += part.length;
    return json(String(byteCount));
  };

  it("reads a body no faster than its reader", { timeout: 30_000 }, async () => {
    const gate = Promise.withResolvers<void>();
    const port = await serveStreams(async (request) => {
      await gate.promise;
      return countBytes(request);
    });
    const request = httpRequest({ host: "127.0.0.1", port, agent: false, method: "PUT" });
    let sent = 0;
    const part = Buffer.alloc(65_536);
    const total = 64 * 1024 * 1024;
    while (sent < total && request.write(part)) sent += part.length;
    for (let before = -1; before !== sent; await new Promise((resolve) => setTimeout(resolve, 100))) {
      before = sent;
      while (sent < total && !request.writableNeedDrain) {
        request.write(part);
        sent += part.length;
      }
    }
    expect(sent).toBeLessThan(32 * 1024 * 1024);
    gate.resolve();
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const parts: Buffer[] = [];
    for await (const one of response) parts.push(one as Buffer);
    expect(Number(String(Buffer.concat(parts)))).toBeGreaterThanOrEqual(sent);
  });

  it.each([
    ["stops coming", "timeout", async () => {}],
    ["breaks off", "canceled", async (socket: Socket) => void socket.destroy()],
  ] as const)("tells a reader that the body %s", async (_rule, kind, end) => {
    const outcome = Promise.withResolvers<unknown>();
    const started = Promise.withResolvers<void>();
    const port = await serveStreams(
      async ({ body }) => {
        try {
          for await (const _part of body) started.resolve();
        } catch (error) {
          outcome.resolve(error);
        }
        return json("");
      },
      { streamIdleTimeoutMs: 200 },
    );
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    closers.push(() => socket.destroy());
    socket.write("PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf");
    await started.promise;
    await end(socket);
    expect(await outcome.promise).toMatchObject({ name: "HttpError", kind });
  });

  it(
    "takes longer for a request than a listener for small ones, as long as it moves",
    { timeout: 20_000 },
    async () => {
      const port = await serveStreams(countBytes, { requestTimeoutMs: 100, streamIdleTimeoutMs: 5_000 });
      const request = httpRequest({ host: "127.0.0.1", port, agent: false, method: "PUT" });
      // Longer than the interval at which late requests are looked for.
      for (let i = 0; i < 14; i++) {
        request.write("x");
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      request.end();
      const [response] = (await once(request, "response")) as [IncomingMessage];
      expect(response.statusCode).toBe(200);
      response.resume();
    },
  );

  it("closes the connection after an answer when too much of the request is left", async () => {
    const port = await serveStreams(async () => json("refused"), { unreadBodyBytesMax: 1000 });
    const head = "PUT / HTTP/1.1\r\nhost: x\r\n";
    const answer = await askRaw(port, `${head}content-length: 1001\r\n\r\n`);
    expect(answer.toLowerCase()).toContain("connection: close");
    expect(await askRaw(port, `${head}transfer-encoding: chunked\r\n\r\n`)).toContain("HTTP/1.1 200 ");
  });

  it.each([
    ["shorter", "12"],
    ["longer", "8"],
  ])("cuts an answer whose body is %s than it said", async (_rule, length) => {
    const port = await serveStreams(async () => ({
      status: 200,
      headers: { "content-length": length },
      body: (async function* () {
        yield bytes("0123456789");
      })(),
    }));
    await expect(ask(port)).rejects.toThrow(/aborted|hang up/);
  });
});

describe("fetch", () => {
  const fetchFrom = async (handle: Parameters<typeof createServer>[1], bodyBytesMax = 1_000_000) => {
    const server = createServer(handle);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const network = networkWith();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics?token=secret`;
    const fetch = (headers: Readonly<Record<string, string>> = {}) =>
      network.fetchHttp(url, { signal: never, bodyBytesMax, headers });
    return { url, fetch };
  };

  it("asks for gzip, and bounds what comes out of it", async () => {
    const handle: Parameters<typeof createServer>[1] = (request, response) => {
      expect(request.headers["accept-encoding"]).toBe("gzip");
      response.setHeader("content-encoding", "gzip");
      response.end(gzipSync(new Uint8Array(1_000_000)));
    };
    const { fetch } = await fetchFrom(handle);
    expect((await fetch()).body.length).toBe(1_000_000);
    const bounded = await fetchFrom(handle, 999_999);
    await expect(bounded.fetch()).rejects.toMatchObject({ kind: "too-large" });
  });

  it("leaves a body as it was sent to who names encodings", async () => {
    const { fetch } = await fetchFrom((request, response) => {
      expect(request.headers["accept-encoding"]).toBe("snappy");
      response.setHeader("content-encoding", "snappy");
      response.end("as it is");
    });
    const { headers, body } = await fetch({ "accept-encoding": "snappy" });
    expect([headers.get("content-encoding"), new TextDecoder().decode(body)]).toEqual(["snappy", "as it is"]);
  });

  it.each<readonly [string, Parameters<typeof createServer>[1], string, RegExp]>([
    [
      "gzip that is none",
      (_request, response) => {
        response.setHeader("content-encoding", "gzip");
        response.end("not gzip");
      },
      "protocol",
      /body is not valid gzip/,
    ],
    [
      "an encoding that was not asked for",
      (_request, response) => {
        response.setHeader("content-encoding", "br");
        response.end("x");
      },
      "protocol",
      /content encoding br, expected gzip or none/,
    ],
    [
      "a body that breaks off",
      (_request, response) => {
        response.setHeader("content-length", "100");
        response.write("half");
        setImmediate(() => response.destroy());
      },
      "protocol",
      /answer broke off/,
    ],
    [
      "what is not HTTP",
      (request) => {
        request.socket.end("nonsense\r\n\r\n");
      },
      "protocol",
      /malformed HTTP answer/,
    ],
    [
      "a connection that is closed without an answer",
      (request) => {
        request.socket.destroy();
      },
      "unreachable",
      /connection reset/,
    ],
  ])("fails for %s, without showing the query", async (_rule, handle, kind, message) => {
    const { fetch } = await fetchFrom(handle);
    const error = await fetch().then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    expect(error).toMatchObject({ name: "HttpError", kind });
    expect(error?.message).toMatch(message);
    expect(error?.message).not.toContain("secret");
  });

  it("keeps its connection for the next request", async () => {
    const ports = new Set<number | undefined>();
    const { fetch } = await fetchFrom((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("x");
    });
    for (let i = 0; i < 5; i++) await fetch();
    expect(ports.size).toBe(1);
  });

  it("asks again when the connection that it kept was closed meanwhile", async () => {
    let requests = 0;
    const { fetch } = await fetchFrom((request, response) => {
      // The second request finds the connection of the first one, which the server drops.
      if (++requests === 2) request.socket.resetAndDestroy();
      else response.end("x");
    });
    await fetch();
    expect((await fetch()).status).toBe(200);
    expect(requests).toBe(3);
  });
});
