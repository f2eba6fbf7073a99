/** Pleiad's gRPC against grpc-js, as client and as server. */
import * as grpc from "@grpc/grpc-js";
import { RpcError, type CallOptions, type RpcHandler } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { afterEach, describe, expect, it } from "vitest";
import { createNodePorts } from "./node-ports.ts";

const { network } = createNodePorts({ observations: silentObservations() });
const options: CallOptions = {
  signal: new AbortController().signal,
  timeoutMs: 30_000,
  messageBytesMax: 64 * 1024 * 1024,
};
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);
const asBuffer = (message: Uint8Array) => Buffer.from(message);
const asBytes = (buffer: Buffer) => new Uint8Array(buffer);

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

describe("our client on a grpc-js server", () => {
  const definition = (path: string, responseStream: boolean): grpc.MethodDefinition<Uint8Array, Uint8Array> => ({
    path,
    requestStream: false,
    responseStream,
    requestSerialize: asBuffer,
    requestDeserialize: asBytes,
    responseSerialize: asBuffer,
    responseDeserialize: asBytes,
  });
  const cancelled = Promise.withResolvers<void>();

  const open = async (serverOptions: grpc.ServerOptions = {}) => {
    const server = new grpc.Server({ "grpc.max_receive_message_length": -1, ...serverOptions });
    server.addService(
      {
        Echo: definition("/t.T/Echo", false),
        Fail: definition("/t.T/Fail", false),
        Hang: definition("/t.T/Hang", false),
        Many: definition("/t.T/Many", true),
        Zipped: definition("/t.T/Zipped", false),
      },
      {
        Echo: ((call, done) => done(null, call.request)) as grpc.handleUnaryCall<Uint8Array, Uint8Array>,
        Fail: ((_call, done) => {
          done({ code: grpc.status.FAILED_PRECONDITION, details: "not now: 100 % 한국어" });
        }) as grpc.handleUnaryCall<Uint8Array, Uint8Array>,
        Hang: ((call) => {
          call.on("cancelled", () => cancelled.resolve());
        }) as grpc.handleUnaryCall<Uint8Array, Uint8Array>,
        Many: ((call) => {
          const count = Number(text(call.request));
          for (let i = 0; i < count; i++) call.write(bytes(`message ${i}`));
          call.end();
        }) as grpc.handleServerStreamingCall<Uint8Array, Uint8Array>,
        Zipped: ((call, done) => {
          const metadata = new grpc.Metadata();
          metadata.set("grpc-internal-encoding-request", "gzip");
          call.sendMetadata(metadata);
          done(null, call.request);
        }) as grpc.handleUnaryCall<Uint8Array, Uint8Array>,
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    closers.push(() => server.forceShutdown());
    const client = network.rpcClient(`127.0.0.1:${port}`);
    closers.push(() => client.close());
    return { server, client };
  };

  it("calls, also with 20 MB each way", async () => {
    const { client } = await open();
    expect(text(await client.call("/t.T/Echo", bytes("hello"), options))).toBe("hello");
    const big = new Uint8Array(20_000_000).fill(7);
    expect((await client.call("/t.T/Echo", big, options)).length).toBe(big.length);
  });

  it("streams", async () => {
    const { client } = await open();
    const messages: string[] = [];
    for await (const item of client.stream("/t.T/Many", bytes("5000"), options)) messages.push(...item.map(text));
    expect(messages).toHaveLength(5000);
    expect(messages[4999]).toBe("message 4999");
  });

  it("reads the status", async () => {
    const { client } = await open();
    await expect(client.call("/t.T/Fail", bytes(""), options)).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      message: "not now: 100 % 한국어",
    });
    await expect(client.call("/t.T/None", bytes(""), options)).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
  });

  it("ends at its deadline", async () => {
    const { client } = await open();
    await expect(client.call("/t.T/Hang", bytes(""), { ...options, timeoutMs: 50 })).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
  });

  it("cancels", async () => {
    const { client } = await open();
    const controller = new AbortController();
    const outcome = expect(
      client.call("/t.T/Hang", bytes(""), { ...options, signal: controller.signal }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    await client.call("/t.T/Echo", bytes(""), options); // the other call is under way by now
    controller.abort();
    await outcome;
    await cancelled.promise;
  });

  it("connects again when the server sends it away", async () => {
    const { client } = await open({ "grpc.max_connection_age_ms": 20, "grpc.max_connection_age_grace_ms": 5_000 });
    for (let i = 0; i < 40; i++) {
      expect(text(await client.call("/t.T/Echo", bytes(String(i)), options))).toBe(String(i));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });

  it("reads answers in gzip", async () => {
    const { client } = await open({ "grpc.default_compression_algorithm": 2 });
    const request = bytes("abc".repeat(100_000));
    expect(text(await client.call("/t.T/Echo", request, options))).toBe(text(request));
    await expect(
      client.call("/t.T/Echo", request, { ...options, messageBytesMax: request.length - 1 }),
    ).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });
});

describe("a grpc-js client on our server", () => {
  const open = async (handlers: Record<string, RpcHandler>, clientOptions: grpc.ClientOptions = {}) => {
    const listener = await network.serveRpc("127.0.0.1:0", new Map(Object.entries(handlers)));
    closers.push(() => listener.close(0));
    const client = new grpc.Client(listener.address, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      ...clientOptions,
    });
    closers.push(() => client.close());
    const call = (path: string, request: Uint8Array, callOptions: grpc.CallOptions = {}) =>
      new Promise<Uint8Array>((resolve, reject) => {
        client.makeUnaryRequest(path, asBuffer, asBytes, request, callOptions, (error, answer) =>
          error === null ? resolve(answer ?? bytes("")) : reject(error),
        );
      });
    const stream = (path: string, request: Uint8Array) =>
      client.makeServerStreamRequest(path, asBuffer, asBytes, request);
    return { listener, client, call, stream };
  };
  const echo: RpcHandler = { kind: "unary", handle: async (request) => request };

  it("calls, also with 15 MB each way", async () => {
    const { call } = await open({ "/t.T/Echo": echo });
    expect(text(await call("/t.T/Echo", bytes("hello")))).toBe("hello");
    expect((await call("/t.T/Echo", new Uint8Array(15_000_000))).length).toBe(15_000_000);
  });

  it("streams", async () => {
    const { stream } = await open({
      "/t.T/Many": {
        kind: "stream",
        async *handle() {
          for (let i = 0; i < 50; i++) yield Array.from({ length: 100 }, (_, j) => bytes(`message ${i * 100 + j}`));
        },
      },
    });
    const messages: string[] = [];
    for await (const message of stream("/t.T/Many", bytes(""))) messages.push(text(message as Uint8Array));
    expect(messages).toHaveLength(5000);
    expect(messages[4999]).toBe("message 4999");
  });

  it("reads the status, and knows an unknown method", async () => {
    const { call } = await open({
      "/t.T/Fail": {
        kind: "unary",
        handle: async () => {
          throw new RpcError("OUT_OF_RANGE", "100 % 한국어\nsecond line");
        },
      },
    });
    await expect(call("/t.T/Fail", bytes(""))).rejects.toMatchObject({
      code: grpc.status.OUT_OF_RANGE,
      details: "100 % 한국어\nsecond line",
    });
    await expect(call("/t.T/None", bytes(""))).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });

  it("reads the status after messages", async () => {
    const { stream } = await open({
      "/t.T/Many": {
        kind: "stream",
        async *handle() {
          yield [bytes("one"), bytes("two")];
          throw new RpcError("DATA_LOSS", "bad chunk");
        },
      },
    });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const message of stream("/t.T/Many", bytes(""))) seen.push(text(message as Uint8Array));
    })();
    await expect(reading).rejects.toMatchObject({ code: grpc.status.DATA_LOSS, details: "bad chunk" });
    expect(seen).toEqual(["one", "two"]);
  });

  /** A handler that waits for its signal and gives the reason of its end. */
  const waiting = () => {
    const started = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<unknown>();
    const handler: RpcHandler = {
      kind: "unary",
      handle: async (request, { signal }) => {
        signal.addEventListener("abort", () => ended.resolve(signal.reason), { once: true });
        started.resolve();
        await ended.promise;
        return request;
      },
    };
    return { handler, started: started.promise, ended: ended.promise };
  };

  it("sends its deadline, at which the handler is told to stop", async () => {
    const { handler, ended } = waiting();
    const { call } = await open({ "/t.T/Hang": handler });
    await expect(call("/t.T/Hang", bytes(""), { deadline: Date.now() + 300 })).rejects.toMatchObject({
      code: grpc.status.DEADLINE_EXCEEDED,
    });
    await ended;
  });

  it("cancels", async () => {
    const { handler, started, ended } = waiting();
    const { client } = await open({ "/t.T/Hang": handler });
    const outcome = Promise.withResolvers<grpc.ServiceError | null>();
    const call = client.makeUnaryRequest("/t.T/Hang", asBuffer, asBytes, bytes(""), (error) => outcome.resolve(error));
    await started;
    call.cancel();
    expect(await outcome.promise).toMatchObject({ code: grpc.status.CANCELLED });
    expect(await ended).toMatchObject({ code: "CANCELLED" });
  });

  it("sends requests in gzip", async () => {
    const { call } = await open({ "/t.T/Echo": echo }, { "grpc.default_compression_algorithm": 2 });
    const request = bytes("abc".repeat(100_000));
    expect(text(await call("/t.T/Echo", request))).toBe(text(request));
  });

  it("is told which encodings there are when it sends deflate", async () => {
    const { call } = await open({ "/t.T/Echo": echo }, { "grpc.default_compression_algorithm": 1 });
    await expect(call("/t.T/Echo", bytes("abc"))).rejects.toMatchObject({
      code: grpc.status.UNIMPLEMENTED,
      details: "unknown encoding deflate",
    });
  });

  it("cannot send more than the server takes", async () => {
    const { call } = await open({ "/t.T/Echo": echo });
    await expect(call("/t.T/Echo", new Uint8Array(17 * 1024 * 1024))).rejects.toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
    });
    expect(text(await call("/t.T/Echo", bytes("still here")))).toBe("still here");
  });

  it("brings its metadata", async () => {
    const seen = Promise.withResolvers<ReadonlyMap<string, string>>();
    const { client } = await open({
      "/t.T/Echo": {
        kind: "unary",
        handle: async (request, { metadata, peer }) => {
          expect(peer).toMatch(/^127\.0\.0\.1:\d+$/);
          seen.resolve(metadata);
          return request;
        },
      },
    });
    const metadata = new grpc.Metadata();
    metadata.set("Thanos-Tenant", "team-a");
    client.makeUnaryRequest("/t.T/Echo", asBuffer, asBytes, bytes(""), metadata, () => {});
    expect((await seen.promise).get("thanos-tenant")).toBe("team-a");
  });

  it("has its calls ended when the server closes", async () => {
    const { handler, started } = waiting();
    const { call, listener } = await open({ "/t.T/Hang": handler });
    const outcome = expect(call("/t.T/Hang", bytes(""))).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    await started;
    await listener.close(0);
    await outcome;
  });
});
