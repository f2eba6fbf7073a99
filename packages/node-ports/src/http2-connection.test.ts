/** What a peer may not do, and what it may ask of us: frames made by hand, against RFC 9113. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { seededRandom } from "@pleiad/ports";
import { afterEach, describe, expect, it } from "vitest";
import { encodeHeaders } from "./hpack.ts";
import { Http2Connection, type Http2Events } from "./http2-connection.ts";
import {
  createFrameWriter,
  createHttp2FrameReader,
  frameTypes,
  http2Codes,
  preface,
  readUint32,
} from "./http2-frames.ts";
import type { Http2Stream, StreamEvents } from "./http2-stream.ts";

const options = { streamWindowBytes: 100_000, sessionWindowBytes: 200_000, concurrentStreamsMax: 3 };
const uint32 = (...values: readonly number[]) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return Uint8Array.from(bytes);
};
const empty = new Uint8Array(0);
const block = encodeHeaders([":method", "POST", ":path", "/t"]).slice();
const nothingHeard: StreamEvents = { headers() {}, data() {}, ended() {}, drained() {}, closed() {} };
const events: Http2Events = {
  opened: () => nothingHeard,
  established() {},
  leaving() {},
  received() {},
  closed() {},
};

interface SentFrame {
  readonly type: number;
  readonly flags?: number;
  readonly id?: number;
  readonly payload?: Uint8Array;
}
const settings: SentFrame = { type: frameTypes.settings };
const headers = (id: number, flags = 4): SentFrame => ({ type: frameTypes.headers, flags, id, payload: block });

let closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers) close();
  closers = [];
});

async function listening(act: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer((socket) => {
    closers.push(() => socket.destroy());
    act(socket);
  });
  closers.push(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A peer of our server that writes frames by hand and sees those that come. */
async function peerOfServer(own: Http2Events = events) {
  const port = await listening((socket) => new Http2Connection(socket, "server", options, own, () => 0));
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  closers.push(() => socket.destroy());
  const seen: { readonly type: number; readonly flags: number; readonly id: number; readonly payload: Uint8Array }[] =
    [];
  const reader = createHttp2FrameReader();
  socket.on("data", (chunk: Buffer<ArrayBuffer>) =>
    reader.read(chunk, ({ type, flags, streamId, payload }) => {
      seen.push({ type, flags, id: streamId, payload: payload.slice() });
      return true;
    }),
  );
  // Where it is ended while more is on its way, the end is an error.
  const closed = new Promise((resolve) => socket.once("close", resolve));
  return {
    seen,
    closed,
    write: (bytes: Uint8Array) => socket.write(bytes),
    send(frames: readonly SentFrame[]) {
      const writer = createFrameWriter();
      for (const { type, flags = 0, id = 0, payload = empty } of frames) writer.frame(type, flags, id, payload);
      for (const piece of writer.take()) socket.write(piece);
    },
    /** Resolves with the first such frame that comes. */
    async frame(type: number, id = 0) {
      for (;;) {
        const found = seen.find((one) => one.type === type && one.id === id);
        if (found !== undefined) return found;
        await once(socket, "data");
      }
    },
  };
}

describe("a server ends the connection of who sends", () => {
  const data = (id: number, length: number, flags = 0): SentFrame => ({
    type: frameTypes.data,
    flags,
    id,
    payload: new Uint8Array(length),
  });
  const violations: readonly (readonly [string, readonly SentFrame[], number])[] = [
    ["no settings first", [headers(1)], http2Codes.protocolError],
    ["data of no stream", [settings, data(1, 5)], http2Codes.protocolError],
    ["data of the connection", [settings, data(0, 5)], http2Codes.protocolError],
    ["more padding than payload", [settings, headers(1), data(1, 1, 8), data(1, 0, 8)], http2Codes.protocolError],
    ["headers of a stream that is ours to begin", [settings, headers(2)], http2Codes.protocolError],
    ["headers that cannot be read", [settings, { ...headers(1), payload: Uint8Array.of(0x80) }], 9],
    ["a frame within headers", [settings, headers(1, 0), settings], http2Codes.protocolError],
    ["headers that go on nowhere", [settings, { type: 9, id: 1, flags: 4 }], http2Codes.protocolError],
    [
      "headers without end",
      [settings, headers(1, 0), ...Array.from({ length: 100 }, () => ({ type: 9, id: 1 }))],
      http2Codes.enhanceYourCalm,
    ],
    ["a reset of no stream", [settings, { type: 3, id: 5, payload: uint32(8) }], http2Codes.protocolError],
    ["settings cut short", [{ type: 4, payload: uint32(1) }], http2Codes.frameSizeError],
    ["a window that is too large", [{ type: 4, payload: Uint8Array.of(0, 4, 255, 255, 255, 255) }], 3],
    ["frames longer than a length can say", [{ type: 4, payload: Uint8Array.of(0, 5, 1, 0, 0, 0) }], 1],
    ["frames shorter than all must take", [{ type: 4, payload: Uint8Array.of(0, 5, 0, 0, 63, 255) }], 1],
    ["a window of nothing", [settings, { type: 8, payload: uint32(0) }], http2Codes.protocolError],
    ["windows that add up to too much", [settings, { type: 8, payload: uint32(2 ** 31 - 1) }], 3],
    ["a ping cut short", [settings, { type: 6, payload: uint32(1) }], http2Codes.frameSizeError],
    ["a push", [settings, { type: 5, id: 1, payload: block }], http2Codes.protocolError],
    [
      "more than it may",
      [settings, ...[1, 3, 5].flatMap((id) => [headers(id), ...Array.from({ length: 6 }, () => data(id, 16_384))])],
      http2Codes.flowControlError,
    ],
    [
      "resets without end",
      [
        settings,
        ...Array.from({ length: 1100 }, (_, i) => [
          headers(2 * i + 1),
          { type: 3, id: 2 * i + 1, payload: uint32(8) },
        ]).flat(),
      ],
      http2Codes.enhanceYourCalm,
    ],
  ];
  it.each(violations)("%s", async (_rule, frames, code) => {
    const peer = await peerOfServer();
    peer.write(preface);
    peer.send(frames);
    await peer.closed;
    const farewell = peer.seen.find(({ type }) => type === frameTypes.goaway);
    // A peer that has much on its way may lose what we said last.
    const said = farewell && readUint32(farewell.payload, 4);
    expect(frames.length < 10 ? said : (said ?? code)).toBe(code);
  });

  it("any bytes: it is ended, or goes on, but nothing is thrown", async () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = seededRandom(seed);
      const peer = await peerOfServer();
      peer.write(preface);
      peer.send([settings, headers(1)]);
      await peer.frame(frameTypes.settings);
      const frames = Array.from({ length: 30 }, (): SentFrame => ({
        type: random.int(11),
        flags: random.int(256),
        id: random.int(8),
        payload: Uint8Array.from({ length: random.int(40) }, () => random.int(256)),
      }));
      peer.send(frames);
      peer.write(Uint8Array.of(255, 255, 255)); // a frame that is too long, if that is still read
      peer.write(new Uint8Array(20));
      await peer.closed;
      expect(peer.seen.at(-1)?.type, `seed ${String(seed)}`).toBeOneOf(Object.values(frameTypes));
    }
  });
});

describe("a server", () => {
  it("refuses streams beyond those it takes at once, and goes on", async () => {
    const peer = await peerOfServer();
    peer.write(preface);
    peer.send([settings, headers(1), headers(3), headers(5), headers(7), { type: 6, payload: new Uint8Array(8) }]);
    const reset = await peer.frame(frameTypes.reset, 7);
    expect(readUint32(reset.payload, 0)).toBe(http2Codes.refusedStream);
    await peer.frame(frameTypes.ping);
  });

  it("resets a stream on which more comes than it may", async () => {
    const peer = await peerOfServer();
    peer.write(preface);
    const data = { type: frameTypes.data, id: 1, payload: new Uint8Array(16_384) };
    peer.send([settings, headers(1), ...Array.from({ length: 7 }, () => data)]);
    const reset = await peer.frame(frameTypes.reset, 1);
    expect(readUint32(reset.payload, 0)).toBe(http2Codes.flowControlError);
  });

  it("answers with what windows allow, and the rest when they grow", async () => {
    const peer = await peerOfServer({
      ...events,
      opened: (stream) => ({
        headers() {},
        data() {},
        ended() {
          stream.respond([":status", "200"]);
          stream.write(new Uint8Array(50_000));
          stream.end(["grpc-status", "0"]);
        },
        drained() {},
        closed() {},
      }),
    });
    const dataBytes = () =>
      peer.seen.filter(({ type }) => type === frameTypes.data).reduce((sum, one) => sum + one.payload.length, 0);
    peer.write(preface);
    peer.send([{ type: 4, payload: Uint8Array.of(0, 4, 0, 0, 3, 232) }, headers(1, 5)]); // windows of 1000 bytes
    peer.send([{ type: 6, payload: new Uint8Array(8) }]);
    await peer.frame(frameTypes.ping);
    while (dataBytes() < 1000) await new Promise(setImmediate);
    peer.send([{ type: 8, id: 1, payload: uint32(20_000) }]);
    while (dataBytes() < 21_000) await new Promise(setImmediate);
    expect(dataBytes()).toBe(21_000);
    peer.send([{ type: 4, payload: Uint8Array.of(0, 4, 0, 0, 255, 255) }]);
    while (peer.seen.filter(({ type }) => type === frameTypes.headers).length < 2) await new Promise(setImmediate);
    expect(dataBytes()).toBe(50_000);
  });

  it("that leaves answers the streams it has, and refuses others", async () => {
    const opened: Http2Stream[] = [];
    let own: Http2Connection | undefined;
    const port = await listening((socket) => {
      const told = {
        ...events,
        opened: (stream: Http2Stream) => (opened.push(stream), events.opened(stream, new Map())),
      };
      own = new Http2Connection(socket, "server", options, told, () => 0);
    });
    const client = connect(port, "127.0.0.1");
    closers.push(() => client.destroy());
    const codes: number[] = [];
    const established = Promise.withResolvers<void>();
    const leaving = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    const connection = new Http2Connection(
      client,
      "client",
      options,
      {
        ...events,
        established: () => established.resolve(),
        leaving: () => leaving.resolve(),
        closed: () => over.resolve(),
      },
      () => 0,
    );
    await established.promise;
    const ask = () =>
      connection.request([":method", "POST"], {
        ...nothingHeard,
        closed: (code) => codes.push(code),
      });
    ask()?.end();
    while (opened.length === 0) await new Promise(setImmediate);
    own?.leave();
    await leaving.promise;
    expect(ask()).toBeUndefined();
    opened[0]?.respond([":status", "200"], true);
    await over.promise;
    expect(codes).toEqual([http2Codes.noError]);
  });
});

it("a client waits with the streams that the peer does not take yet, and begins them in order", async () => {
  const opened: Http2Stream[] = [];
  const paths: string[] = [];
  const connections: Http2Connection[] = [];
  const port = await listening((socket) => {
    const told: Http2Events = {
      ...events,
      opened: (stream, fields) => {
        opened.push(stream);
        paths.push(fields.get(":path") ?? "");
        return events.opened(stream, fields);
      },
    };
    connections.push(new Http2Connection(socket, "server", options, told, () => 0));
  });
  const client = connect(port, "127.0.0.1");
  closers.push(() => client.destroy());
  const established = Promise.withResolvers<void>();
  const told = { ...events, established: () => established.resolve() };
  const connection = new Http2Connection(client, "client", options, told, () => 0);
  await established.promise;
  const closedPaths: string[] = [];
  for (let i = 0; i < 8; i++) {
    const stream = connection.request([":path", `/${String(i)}`], {
      headers() {},
      data() {},
      ended() {},
      drained() {},
      closed: () => closedPaths.push(`/${String(i)}`),
    });
    stream?.end();
    if (i === 5) stream?.reset(http2Codes.cancel); // one that has not begun
  }
  for (let answered = 0; answered < 7; answered++) {
    while (opened.length <= answered) await new Promise(setImmediate);
    expect(opened.length - answered).toBeLessThanOrEqual(options.concurrentStreamsMax);
    opened[answered]?.respond([":status", "200"], true);
  }
  while (closedPaths.length < 8) await new Promise(setImmediate);
  expect(paths).toEqual(["/0", "/1", "/2", "/3", "/4", "/6", "/7"]);
});

it("a client begins the streams that wait when the peer takes more of them", async () => {
  const streamsOf = (count: number): SentFrame => ({ type: 4, payload: Uint8Array.of(0, 3, 0, 0, 0, count) });
  const begun: number[] = [];
  const peer = Promise.withResolvers<Socket>();
  const port = await listening((socket) => {
    const reader = createHttp2FrameReader();
    let prefaceLeft = preface.length;
    socket.on("data", (chunk: Buffer<ArrayBuffer>) => {
      const bytes = chunk.subarray(Math.min(prefaceLeft, chunk.length));
      prefaceLeft -= chunk.length - bytes.length;
      reader.read(bytes, ({ type, streamId }) => {
        if (type === frameTypes.headers) begun.push(streamId);
        return true;
      });
    });
    peer.resolve(socket);
  });
  const client = connect(port, "127.0.0.1");
  closers.push(() => client.destroy());
  const established = Promise.withResolvers<void>();
  const told = { ...events, established: () => established.resolve() };
  const connection = new Http2Connection(client, "client", options, told, () => 0);
  const send = async (frame: SentFrame) => {
    const writer = createFrameWriter();
    writer.frame(frame.type, 0, 0, frame.payload ?? empty);
    for (const piece of writer.take()) (await peer.promise).write(piece);
  };
  await send(streamsOf(1));
  await established.promise;
  for (let i = 0; i < 3; i++) connection.request([":path", "/"], nothingHeard);
  while (begun.length < 1) await new Promise(setImmediate);
  await send(streamsOf(3));
  while (begun.length < 3) await new Promise(setImmediate);
  expect(begun).toEqual([1, 3, 5]);
});
