/** Compressed messages on the wire: what is sent, as a peer made by hand over node:http2 sees it, and what is read. */
import { once } from "node:events";
import { connect, createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import { gunzipSync, gzipSync } from "node:zlib";
import { decodeSnappyFrames, encodeSnappyFrames } from "@pleiad/chunks";
import { seededRandom, type CallOptions, type RpcCompression, type RpcHandler } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { afterEach, describe, expect, it } from "vitest";
import { decompressMessage } from "./grpc-encoding.ts";
import { createNodePorts } from "./node-ports.ts";

const { network } = createNodePorts({ observations: silentObservations() });
const options: CallOptions = { signal: new AbortController().signal, timeoutMs: 30_000, messageBytesMax: 1_000_000 };
const page = Buffer.from('node_cpu_seconds_total{cpu="0",mode="idle"} 1\n'.repeat(2000));
const random = seededRandom(1);
const noise = Uint8Array.from({ length: 5000 }, () => random.int(256));
const short = Buffer.from("up");

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

const unpack: Readonly<Record<RpcCompression, (bytes: Uint8Array) => Uint8Array>> = {
  gzip: gunzipSync,
  snappy: (bytes) => {
    const content = decodeSnappyFrames(bytes, 1 << 30);
    if (!content.ok) throw new Error(content.failure.reason);
    return content.value;
  },
};
const pack: Readonly<Record<RpcCompression, (bytes: Uint8Array) => Uint8Array>> = {
  gzip: gzipSync,
  snappy: encodeSnappyFrames,
};

/** The frames of a body: flag and content of each. */
function framesOf(body: Buffer): readonly { readonly flag: number; readonly content: Buffer }[] {
  const frames = [];
  for (let at = 0; at < body.length;) {
    const length = body.readUInt32BE(at + 1);
    frames.push({ flag: body[at] ?? 0, content: body.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return frames;
}

function framed(content: Uint8Array, flag: 0 | 1): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}

for (const encoding of ["gzip", "snappy"] as const) {
  describe(`a client that is told ${encoding}`, () => {
    /** What the peer sees of a call with this message, and what the client makes of the answer. */
    const call = async (message: Uint8Array, answer: Buffer, answerHeaders: OutgoingHttpHeaders = {}) => {
      let headers: IncomingHttpHeaders = {};
      let body = Buffer.alloc(0);
      const server = createServer();
      server.on("stream", (stream, received) => {
        headers = received;
        stream.on("data", (chunk: Buffer) => (body = Buffer.concat([body, chunk])));
        stream.on("end", () => {
          const response = { ":status": 200, "content-type": "application/grpc", ...answerHeaders };
          stream.respond(response, { waitForTrailers: true });
          stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
          stream.end(answer);
        });
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      closers.push(() => server.close());
      const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const client = network.rpcClient(address, { compression: encoding });
      closers.push(() => client.close());
      const read = await client.call("/t.T/Echo", message, options);
      return { headers, frames: framesOf(body), read };
    };

    it("says so, sends a long message compressed, and reads the answer", async () => {
      const { headers, frames, read } = await call(page, framed(pack[encoding](page), 1), {
        "grpc-encoding": encoding,
      });
      expect(headers).toMatchObject({ "grpc-encoding": encoding, "grpc-accept-encoding": "identity,gzip,snappy" });
      expect(frames).toHaveLength(1);
      expect(frames[0]?.flag).toBe(1);
      expect(frames[0]?.content.length).toBeLessThan(page.length / 10);
      expect(Buffer.compare(unpack[encoding](frames[0]?.content ?? short), page)).toBe(0);
      expect(Buffer.compare(read, page)).toBe(0);
    });

    it.each([
      ["is short", short],
      ["has nothing that repeats", noise],
    ])("sends as it is what %s, with the flag that says so", async (_rule, message) => {
      const { headers, frames } = await call(message, framed(short, 0));
      expect(headers["grpc-encoding"]).toBe(encoding);
      expect(frames).toMatchObject([{ flag: 0 }]);
      expect(Buffer.compare(frames[0]?.content ?? short, message)).toBe(0);
    });

    it("reads an answer that is not compressed, or in the other encoding", async () => {
      const other = encoding === "gzip" ? "snappy" : "gzip";
      expect(Buffer.compare((await call(short, framed(page, 0))).read, page)).toBe(0);
      const answered = await call(short, framed(pack[other](page), 1), { "grpc-encoding": other });
      expect(Buffer.compare(answered.read, page)).toBe(0);
    });
  });

  describe(`a server asked in ${encoding}`, () => {
    const ask = async (handler: RpcHandler, message: Uint8Array, flag: 0 | 1, headers: OutgoingHttpHeaders = {}) => {
      const listener = await network.serveRpc("127.0.0.1:0", new Map([["/t.T/Do", handler]]));
      closers.push(() => listener.close(0));
      const session = connect(`http://${listener.address}`);
      closers.push(() => session.destroy());
      const stream = session.request({
        ":method": "POST",
        ":path": "/t.T/Do",
        "content-type": "application/grpc",
        "grpc-encoding": encoding,
        ...headers,
      });
      let answer: IncomingHttpHeaders = {};
      let body = Buffer.alloc(0);
      stream.on("response", (response) => (answer = response));
      stream.on("data", (chunk: Buffer) => (body = Buffer.concat([body, chunk])));
      stream.end(framed(message, flag));
      await once(stream, "close");
      return { answer, frames: framesOf(body) };
    };
    const echo: RpcHandler = { kind: "unary", handle: async (request) => request };

    it("reads it, compressed or not, and answers in the same", async () => {
      for (const [message, flag] of [
        [pack[encoding](page), 1],
        [page, 0],
      ] as const) {
        const { answer, frames } = await ask(echo, message, flag);
        expect(answer["grpc-encoding"]).toBe(encoding);
        expect(frames).toMatchObject([{ flag: 1 }]);
        expect(Buffer.compare(unpack[encoding](frames[0]?.content ?? short), page)).toBe(0);
      }
    });

    it("answers a stream message by message, those that would not become shorter as they are", async () => {
      const many: RpcHandler = {
        kind: "stream",
        async *handle() {
          yield [page, short, noise, page];
          yield [short];
        },
      };
      const { frames } = await ask(many, short, 0);
      expect(frames.map(({ flag }) => flag)).toEqual([1, 0, 0, 1, 0]);
      const read = frames.map(({ flag, content }) => (flag === 1 ? unpack[encoding](content) : content));
      for (const [i, sent] of [page, short, noise, page, short].entries()) {
        expect(Buffer.compare(read[i] ?? Buffer.alloc(0), sent)).toBe(0);
      }
    });
  });

  it(`a bomb in ${encoding} takes no more memory than the limit`, async () => {
    const bomb = pack[encoding](new Uint8Array(200_000_000));
    const before = process.memoryUsage().arrayBuffers;
    await expect(decompressMessage(encoding, bomb, 1_000_000)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8_000_000);
  });
}

it("a server asked without an encoding answers without one", async () => {
  const echo: RpcHandler = { kind: "unary", handle: async (request) => request };
  const listener = await network.serveRpc("127.0.0.1:0", new Map([["/t.T/Do", echo]]));
  closers.push(() => listener.close(0));
  const session = connect(`http://${listener.address}`);
  closers.push(() => session.destroy());
  const stream = session.request({ ":method": "POST", ":path": "/t.T/Do", "content-type": "application/grpc" });
  let answer: IncomingHttpHeaders = {};
  let body = Buffer.alloc(0);
  stream.on("response", (response) => (answer = response));
  stream.on("data", (chunk: Buffer) => (body = Buffer.concat([body, chunk])));
  stream.end(framed(page, 0));
  await once(stream, "close");
  expect(answer["grpc-encoding"]).toBeUndefined();
  expect(framesOf(body)).toMatchObject([{ flag: 0 }]);
});

it("our client and our server give back any message in any encoding", async () => {
  const echo: RpcHandler = { kind: "unary", handle: async (request) => request };
  const listener = await network.serveRpc("127.0.0.1:0", new Map([["/t.T/Do", echo]]));
  closers.push(() => listener.close(0));
  for (const compression of ["gzip", "snappy"] as const) {
    const client = network.rpcClient(listener.address, { compression });
    closers.push(() => client.close());
    for (const length of [0, 1, 255, 256, 16_384, 65_536, 65_537, 400_000]) {
      const message = Uint8Array.from({ length }, (_, i) => (i % 97) * random.int(2));
      const answer = await client.call("/t.T/Do", message, options);
      expect(Buffer.compare(answer, message), `${compression} ${length}`).toBe(0);
    }
  }
});
