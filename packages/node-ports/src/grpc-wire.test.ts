/** What peers can do to us on the wire, made by hand over node:http2 and plain sockets. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, constants, createServer, type ClientHttp2Session, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectSocket, createServer as createSocketServer, type AddressInfo, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { encodeSnappyBlock, encodeSnappyFrames } from "@pleiad/chunks";
import { seededRandom, type CallOptions, type RpcHandler } from "@pleiad/ports";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { afterEach, describe, expect, it } from "vitest";
import { nodeNetwork } from "./node-network.ts";
import { createNodePorts } from "./node-ports.ts";

const { clock, network } = createNodePorts({ observations: silentObservations() });
const options: CallOptions = { signal: new AbortController().signal, timeoutMs: 30_000, messageBytesMax: 1_000_000 };
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

/** A frame with any flag and any length in its header. */
function frame(message: Uint8Array, flag = 0, length = message.length): Uint8Array {
  const whole = Buffer.alloc(5 + message.length);
  whole[0] = flag;
  whole.writeUInt32BE(length, 1);
  whole.set(message, 5);
  return whole;
}

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

describe("server", () => {
  const echo: RpcHandler = { kind: "unary", handle: async (request) => request };
  const serve = async (handlers: Record<string, RpcHandler> = { "/t.T/Echo": echo }) => {
    const listener = await network.serveRpc("127.0.0.1:0", new Map(Object.entries(handlers)));
    closers.push(() => listener.close(0));
    return listener;
  };
  const openSession = (address: string) => {
    const session = connect(`http://${address}`);
    session.on("error", () => {});
    closers.push(() => session.destroy());
    return session;
  };
  /** Sends the body as it is, and gives the status in whatever form it comes. */
  const send = async (session: ClientHttp2Session, body: readonly Uint8Array[], headers: OutgoingHttpHeaders = {}) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/t.T/Echo",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const seen: Record<string, unknown> = {};
    stream.on("response", (response) => Object.assign(seen, response));
    stream.on("trailers", (trailers) => Object.assign(seen, trailers));
    stream.on("error", () => {});
    stream.resume();
    for (const part of body) stream.write(part);
    stream.end();
    await once(stream, "close");
    return { http: seen[":status"], status: seen["grpc-status"], message: seen["grpc-message"], seen };
  };

  const malformed: readonly (readonly [string, readonly Uint8Array[], OutgoingHttpHeaders, string, string])[] = [
    ["a length of 2^32-1", [frame(bytes("x"), 0, 2 ** 32 - 1)], {}, "8", "message of 4294967295 bytes, limit 16777216"],
    ["a message cut short", [frame(bytes("hello"), 0, 9)], {}, "13", "request ended inside a message"],
    ["a header cut short", [Uint8Array.of(0, 0, 0)], {}, "13", "request ended inside a message"],
    ["no message", [], {}, "13", "request without a message"],
    ["two messages", [frame(bytes("a")), frame(bytes("b"))], {}, "13", "request with more than one message"],
    ["bytes after the message", [frame(bytes("a")), Uint8Array.of(0, 0)], {}, "13", "request ended inside a message"],
    [
      "a compressed message without an encoding",
      [frame(gzipSync("x"), 1)],
      {},
      "13",
      "compressed message in a call without grpc-encoding",
    ],
    ["a flag that does not exist", [frame(bytes("x"), 2)], {}, "13", "message with flag 2, expected 0 or 1"],
    [
      "an encoding that is not spoken",
      [frame(bytes("x"), 1)],
      { "grpc-encoding": "zstd" },
      "12",
      "unknown encoding zstd",
    ],
    ["what is not gzip", [frame(bytes("not gzip"), 1)], { "grpc-encoding": "gzip" }, "13", "message is not valid gzip"],
    [
      "a gzip bomb",
      [frame(gzipSync(new Uint8Array(20_000_000)), 1)],
      { "grpc-encoding": "gzip" },
      "8",
      "message of more than 16777216 bytes after decompression",
    ],
    [
      "what is not snappy",
      [frame(bytes("not snappy"), 1)],
      { "grpc-encoding": "snappy" },
      "13",
      "message is not valid snappy: the frame at byte 0 is cut short",
    ],
    [
      "a snappy block without its frame",
      [frame(encodeSnappyBlock(bytes("hello")), 1)],
      { "grpc-encoding": "snappy" },
      "13",
      "message is not valid snappy: the frame at byte 0 is cut short",
    ],
    [
      "a snappy bomb",
      [frame(encodeSnappyFrames(new Uint8Array(20_000_000)), 1)],
      { "grpc-encoding": "snappy" },
      "8",
      "message of more than 16777216 bytes after decompression",
    ],
    ["a malformed deadline", [frame(bytes("x"))], { "grpc-timeout": "soon" }, "13", 'malformed grpc-timeout "soon"'],
    ["a deadline of nothing", [frame(bytes("x"))], { "grpc-timeout": "0n" }, "4", "no end within 0 ms"],
    ["an unknown method", [frame(bytes("x"))], { ":path": "/t.T/None" }, "12", "unknown method /t.T/None"],
  ];
  it.each(malformed)("answers %s with a status, and lives on", async (_rule, body, headers, status, message) => {
    const { address } = await serve();
    const session = openSession(address);
    expect(await send(session, body, headers)).toMatchObject({ http: 200, status, message });
    expect(await send(session, [frame(bytes("x"))])).toMatchObject({ http: 200, status: "0" });
  });

  it("names the encodings that it speaks", async () => {
    const { address } = await serve();
    const { seen } = await send(openSession(address), [frame(bytes("x"), 1)], { "grpc-encoding": "zstd" });
    expect(seen["grpc-accept-encoding"]).toBe("identity,gzip,snappy");
  });

  it.each([
    ["another content type", { "content-type": "application/json" }, 415],
    ["no content type", { "content-type": undefined }, 415],
    ["a content type that only begins alike", { "content-type": "application/grpc-web" }, 415],
    ["another method", { ":method": "PUT" }, 405],
  ])("refuses %s in HTTP's own words", async (_rule, headers, http) => {
    const { address } = await serve();
    expect(await send(openSession(address), [frame(bytes("x"))], headers)).toMatchObject({ http });
  });

  it("takes a message in single bytes", async () => {
    const { address } = await serve();
    const body = [...frame(bytes("one by one"))].map((byte) => Uint8Array.of(byte));
    expect(await send(openSession(address), body)).toMatchObject({ status: "0" });
  });

  it("stops a request that never ends", async () => {
    const { address } = await serve();
    const body = Array.from({ length: 400 }, () => frame(new Uint8Array(65_536)));
    expect(await send(openSession(address), body)).toMatchObject({ status: "8" });
  });

  it("lives on after what is not HTTP/2", async () => {
    const { address } = await serve();
    const port = Number(address.split(":")[1]);
    for (const garbage of [
      "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
      "\0".repeat(100),
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff",
    ]) {
      const socket = connectSocket(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume();
      socket.end(garbage, "latin1");
      await once(socket, "close");
    }
    expect(await send(openSession(address), [frame(bytes("x"))])).toMatchObject({ status: "0" });
  });

  it("lives on when a client process is killed in the middle of streams, and its handlers are told", async () => {
    const told = Promise.withResolvers<void>();
    let running = 0;
    const { address } = await serve({
      "/t.T/Echo": echo,
      "/t.T/Flood": {
        kind: "stream",
        async *handle(_request, { signal }) {
          running++;
          try {
            while (!signal.aborted) yield [new Uint8Array(65_536)];
          } finally {
            if (--running === 0) told.resolve();
          }
        },
      },
    });
    const script = `
      const session = require("node:http2").connect("http://${address}");
      for (let i = 0; i < 10; i++) {
        const stream = session.request({ ":method": "POST", ":path": "/t.T/Flood", "content-type": "application/grpc" });
        stream.end(Buffer.alloc(5));
        stream.once("data", () => { stream.pause(); console.log("reading"); });
      }`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    let lines = "";
    for await (const chunk of child.stdout) {
      lines += String(chunk);
      if (lines.split("\n").length > 10) child.kill("SIGKILL");
    }
    await told.promise;
    expect(await send(openSession(address), [frame(bytes("x"))])).toMatchObject({ status: "0" });
  });

  it("answers 200 streams at once on one connection", async () => {
    const { address } = await serve({
      "/t.T/Many": {
        kind: "stream",
        async *handle(request) {
          for (let i = 0; i < 20; i++) yield Array.from({ length: 10 }, () => request);
        },
      },
    });
    const client = network.rpcClient(address);
    closers.push(() => client.close());
    const counts = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        let count = 0;
        for await (const messages of client.stream("/t.T/Many", bytes(`stream ${i}`), options)) {
          for (const message of messages) if (text(message) === `stream ${i}`) count++;
        }
        return count;
      }),
    );
    expect(counts).toEqual(Array.from({ length: 200 }, () => 200));
  });
});

describe("client", () => {
  interface Answer {
    readonly headers?: OutgoingHttpHeaders;
    readonly body?: readonly Uint8Array[];
    readonly trailers?: OutgoingHttpHeaders;
    readonly reset?: number;
  }
  /** A client of a server that answers every call so. */
  const answering = async ({ headers = {}, body = [], trailers, reset }: Answer) => {
    const server = createServer();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      if (reset !== undefined && body.length === 0) return stream.close(reset);
      const respond = { ":status": 200, "content-type": "application/grpc", ...headers };
      stream.respond(respond, { waitForTrailers: trailers !== undefined });
      if (trailers !== undefined) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
      for (const part of body) stream.write(part);
      if (reset === undefined) stream.end();
      else stream.close(reset);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    const client = network.rpcClient(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    closers.push(() => client.close());
    return client;
  };
  const good = frame(bytes("x"));
  const ok = { "grpc-status": "0" };

  const wrong: readonly (readonly [string, Answer, string, string | RegExp])[] = [
    [
      "a length of 2^32-1",
      { body: [frame(bytes("x"), 0, 2 ** 32 - 1)], trailers: ok },
      "RESOURCE_EXHAUSTED",
      "message of 4294967295 bytes, limit 1000000",
    ],
    [
      "a message cut short",
      { body: [frame(bytes("x"), 0, 9)], trailers: ok },
      "INTERNAL",
      "stream ended inside a message",
    ],
    [
      "a compressed message without an encoding",
      { body: [frame(gzipSync("x"), 1)], trailers: ok },
      "INTERNAL",
      "compressed message in a call without grpc-encoding",
    ],
    [
      "an encoding that was not offered",
      { headers: { "grpc-encoding": "zstd" }, body: [good], trailers: ok },
      "INTERNAL",
      "answer in encoding zstd, which was not offered",
    ],
    [
      "a gzip bomb",
      {
        headers: { "grpc-encoding": "gzip" },
        body: [frame(gzipSync(new Uint8Array(2_000_000)), 1)],
        trailers: ok,
      },
      "RESOURCE_EXHAUSTED",
      "message of more than 1000000 bytes after decompression",
    ],
    [
      "a snappy bomb",
      {
        headers: { "grpc-encoding": "snappy" },
        body: [frame(encodeSnappyFrames(new Uint8Array(2_000_000)), 1)],
        trailers: ok,
      },
      "RESOURCE_EXHAUSTED",
      "message of more than 1000000 bytes after decompression",
    ],
    [
      "snappy with a wrong checksum",
      {
        headers: { "grpc-encoding": "snappy" },
        body: [frame(encodeSnappyFrames(bytes("hello")).fill(0, 14, 18), 1)],
        trailers: ok,
      },
      "INTERNAL",
      "message is not valid snappy: the checksum does not fit, in the frame at byte 10",
    ],
    ["no trailers", { body: [good] }, "INTERNAL", "stream ended without a status"],
    ["no message", { trailers: ok }, "INTERNAL", "/t.T/Echo: no answer"],
    ["two messages", { body: [good, good], trailers: ok }, "INTERNAL", "/t.T/Echo: more than one answer"],
    [
      "a status in the headers",
      { headers: { "grpc-status": "5", "grpc-message": "no such%20block" } },
      "NOT_FOUND",
      "no such block",
    ],
    [
      "a status after half a message",
      { body: [frame(bytes("x"), 0, 9)], trailers: { "grpc-status": "15", "grpc-message": "disk" } },
      "DATA_LOSS",
      "disk",
    ],
    ["a status that does not exist", { trailers: { "grpc-status": "99" } }, "UNKNOWN", ""],
    ["HTTP 503", { headers: { ":status": 503 } }, "UNAVAILABLE", "HTTP status 503, expected 200"],
    ["HTTP 404", { headers: { ":status": 404 } }, "UNIMPLEMENTED", "HTTP status 404, expected 200"],
    [
      "a web page",
      { headers: { "content-type": "text/html" }, body: [bytes("<html>")] },
      "UNKNOWN",
      'content type "text/html", expected application/grpc',
    ],
    ["CANCEL", { reset: constants.NGHTTP2_CANCEL }, "CANCELLED", /HTTP\/2 error 8/],
    ["INTERNAL_ERROR", { reset: constants.NGHTTP2_INTERNAL_ERROR }, "INTERNAL", /HTTP\/2 error 2/],
    ["ENHANCE_YOUR_CALM", { reset: constants.NGHTTP2_ENHANCE_YOUR_CALM }, "RESOURCE_EXHAUSTED", /HTTP\/2 error 11/],
    ["REFUSED_STREAM", { reset: constants.NGHTTP2_REFUSED_STREAM }, "UNAVAILABLE", /HTTP\/2 error 7/],
  ];
  it.each(wrong)("takes %s for what it is", async (_rule, answer, code, message) => {
    const client = await answering(answer);
    await expect(client.call("/t.T/Echo", bytes("x"), options)).rejects.toMatchObject({
      code,
      message: typeof message === "string" ? message : (expect.stringMatching(message) as string),
    });
  });

  it("finds many messages in one chunk and one message over many", async () => {
    const messages = Array.from({ length: 3000 }, (_, i) => bytes(`message ${i} ${"x".repeat(i % 50)}`));
    const whole = Buffer.concat(messages.map((message) => frame(message)));
    const body: Uint8Array[] = [];
    for (let at = 0, length = 1; at < whole.length; at += length, length = (length * 7 + 3) % 9973) {
      body.push(whole.subarray(at, at + length));
    }
    const client = await answering({ body, trailers: ok });
    const seen: string[] = [];
    for await (const item of client.stream("/t.T/Many", bytes(""), options)) seen.push(...item.map(text));
    expect(seen).toEqual(messages.map(text));
  });

  it("goes on over another connection when a server finds its pings too many", async () => {
    let sessions = 0;
    const server = createServer();
    server.on("session", (session) => {
      sessions++;
      session.on("stream", (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers(ok));
        stream.on("close", () => session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from("too_many_pings")));
        stream.end(good);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    const client = network.rpcClient(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    closers.push(() => client.close());
    for (let i = 0; i < 5; i++) expect(text(await client.call("/t.T/Echo", bytes("x"), options))).toBe("x");
    expect(sessions).toBeGreaterThan(1);
  });

  it("ends at its deadline where a message stops half-way, and holds no more than came", async () => {
    const clock = manualClock();
    const own = nodeNetwork({ clock, random: seededRandom(1), observations: silentObservations() });
    const half = frame(bytes("hello"), 0, 900_000);
    const cut = Promise.withResolvers<void>();
    const server = createServer();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.on("close", () => cut.resolve());
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
      stream.write(good);
      stream.write(half);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    const client = own.rpcClient(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    closers.push(() => client.close());
    const stream = client.stream("/t.T/Many", bytes(""), options)[Symbol.asyncIterator]();
    const first = await stream.next();
    expect(first.done === true ? undefined : first.value.map(text)).toEqual(["x"]);
    const before = process.memoryUsage().arrayBuffers;
    const outcome = expect(stream.next()).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: "no end within 30000 ms",
    });
    await clock.advance(30_000);
    await outcome;
    await cut.promise;
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000);
  });

  it("asks once more when a server refuses a call unseen", async () => {
    let calls = 0;
    const server = createServer();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      if (++calls === 1) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers(ok));
      stream.end(good);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    const client = network.rpcClient(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    closers.push(() => client.close());
    expect(text(await client.call("/t.T/Echo", bytes("x"), options))).toBe("x");
    expect(calls).toBe(2);
  });

  /** A TCP server that does as told with each connection. */
  const openSocketServer = async (act: (socket: Socket) => void) => {
    const sockets = new Set<Socket>();
    const server = createSocketServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      act(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  it.each<readonly [string, (socket: Socket) => void]>([
    ["closes at once", (socket) => socket.destroy()],
    ["speaks HTTP/1", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["speaks nonsense", (socket) => socket.write("x".repeat(10_000))],
  ])("finds a peer that %s unavailable", async (_rule, act) => {
    const address = await openSocketServer(act);
    const client = network.rpcClient(address);
    closers.push(() => client.close());
    await expect(client.call("/t.T/Echo", bytes(""), options)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining(`connect to ${address}: `) as string,
    });
  });

  const withLimits = (grpc: Parameters<typeof createNodePorts>[0]["limits"]) =>
    createNodePorts({ observations: silentObservations(), limits: grpc ?? {} }).network;

  it("gives up a peer that accepts and says nothing", async () => {
    const address = await openSocketServer(() => {});
    const client = withLimits({ grpc: { connectTimeoutMs: 50 } }).rpcClient(address);
    closers.push(() => client.close());
    await expect(client.call("/t.T/Echo", bytes(""), options)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: `connect to ${address}: no answer within 50 ms`,
    });
  });

  it("gives up a connection on which pings stay unanswered", async () => {
    const server = await network.serveRpc(
      "127.0.0.1:0",
      new Map<string, RpcHandler>([["/t.T/Hang", { kind: "unary", handle: () => new Promise<Uint8Array>(() => {}) }]]),
    );
    closers.push(() => server.close(0));
    const port = Number(server.address.split(":")[1]);
    const started = Promise.withResolvers<void>();
    // Lets the first bytes through, then swallows all, as a cable pulled half-way.
    const address = await openSocketServer((socket) => {
      const behind = connectSocket(port, "127.0.0.1");
      closers.push(() => behind.destroy());
      behind.on("error", () => {});
      let cut = false;
      socket.on("data", (chunk) => {
        if (!cut) behind.write(chunk);
      });
      behind.on("data", (chunk) => {
        if (!cut) socket.write(chunk);
      });
      void started.promise.then(() => {
        cut = true;
      });
    });
    const client = withLimits({ grpc: { keepaliveMs: 50, keepaliveTimeoutMs: 50 } }).rpcClient(address);
    closers.push(() => client.close());
    await expect(client.call("/t.T/None", bytes(""), options)).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
    const outcome = expect(client.call("/t.T/Hang", bytes(""), options)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: `connection to ${address} lost: no answer to a ping within 50 ms`,
    });
    started.resolve();
    await outcome;
  });

  it("waits longer after each failure, and says so in the meantime", async () => {
    const client = withLimits({ grpc: { reconnectFirstMs: 60_000, reconnectMaxMs: 60_000 } }).rpcClient("127.0.0.1:1");
    closers.push(() => client.close());
    const failure = (message: RegExp) => ({
      code: "UNAVAILABLE",
      message: expect.stringMatching(message) as string,
    });
    await expect(client.call("/t.T/Echo", bytes(""), options)).rejects.toMatchObject(failure(/connection refused$/));
    await expect(client.call("/t.T/Echo", bytes(""), options)).rejects.toMatchObject(
      failure(/connection refused \(next attempt in \d{5} ms\)$/),
    );
  });

  it("holds a bounded part of a stream that it reads slowly", { timeout: 60_000 }, async () => {
    let produced = 0;
    const listener = await network.serveRpc(
      "127.0.0.1:0",
      new Map<string, RpcHandler>([
        [
          "/t.T/Flood",
          {
            kind: "stream",
            async *handle() {
              for (; produced < 3000; produced++) yield [new Uint8Array(65_536)];
            },
          },
        ],
      ]),
    );
    closers.push(() => listener.close(0));
    const client = network.rpcClient(listener.address);
    closers.push(() => client.close());
    const buffersBefore = process.memoryUsage().arrayBuffers;
    let read = 0;
    for await (const messages of client.stream("/t.T/Flood", bytes(""), options)) {
      read += messages.length;
      if (read % 400 < 3) {
        for (let before = -1; before !== produced; await clock.sleep(50)) before = produced;
        // The stream's window, what sockets hold, and a few chunks on each side.
        expect((produced - read) * 65_536).toBeLessThan(16 * 1024 * 1024);
        expect(process.memoryUsage().arrayBuffers - buffersBefore).toBeLessThan(150 * 1024 * 1024);
      }
    }
    expect(read).toBe(3000);
  });
});
