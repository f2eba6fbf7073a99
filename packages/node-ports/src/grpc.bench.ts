/**
 * Messages a second of a stream, Pleiad's transport and grpc-js in every pairing; both ends share one process, so that
 * the CPU time is of both. Large by name: `node packages/node-ports/src/grpc.bench.ts`; small in the tests.
 */
import { pathToFileURL } from "node:url";
import * as grpc from "@grpc/grpc-js";
import type { Observations } from "@pleiad/ports";
import { createNodePorts } from "./node-ports.ts";

export type GrpcKind = "pleiad" | "grpc-js";

export interface GrpcBench {
  readonly messagesPerSecond: number;
  readonly cpuSeconds: number;
  /** Sum of every message's number and length, as read by the client: the same for every pairing. */
  readonly checksum: number;
}

const path = "/bench.Bench/Stream";
const silent: Observations = {
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {} }),
  histogram: () => ({ observe: () => {} }),
  log: () => {},
};

export async function benchGrpcStream(
  server: GrpcKind,
  client: GrpcKind,
  messageCount: number,
  messageBytes: number,
): Promise<GrpcBench> {
  const { network, clock } = createNodePorts({ observations: silent });
  const serve = server === "pleiad" ? servePleiad : serveGrpcJs;
  const read = client === "pleiad" ? readPleiad : readGrpcJs;
  const listener = await serve(network, messageCount, messageBytes);
  const cpuBefore = process.cpuUsage();
  const startMs = clock.monotonicMs();
  const checksum = await read(network, listener.address, messageBytes);
  const spanMs = clock.monotonicMs() - startMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  await listener.close();
  return { messagesPerSecond: (messageCount * 1000) / spanMs, cpuSeconds: (user + system) / 1e6, checksum };
}

type Network = ReturnType<typeof createNodePorts>["network"];

function numbered(i: number, messageBytes: number): Uint8Array {
  const message = new Uint8Array(messageBytes);
  message[0] = i;
  message[1] = i >>> 8;
  message[2] = i >>> 16;
  return message;
}

function sumOf(message: Uint8Array): number {
  return (message[0] ?? 0) + (message[1] ?? 0) * 256 + (message[2] ?? 0) * 65_536 + message.length;
}

async function servePleiad(network: Network, messageCount: number, messageBytes: number) {
  const listener = await network.serveRpc(
    "127.0.0.1:0",
    new Map([
      [
        path,
        {
          kind: "stream" as const,
          async *handle() {
            for (let i = 0; i < messageCount; i += 100) {
              const count = Math.min(100, messageCount - i);
              yield Array.from({ length: count }, (_, j) => numbered(i + j, messageBytes));
            }
          },
        },
      ],
    ]),
  );
  return { address: listener.address, close: () => listener.close(0) };
}

const asBuffer = (message: Uint8Array) => Buffer.from(message.buffer, message.byteOffset, message.length);
const asIs = (message: Buffer): Uint8Array => message;

async function serveGrpcJs(_network: Network, messageCount: number, messageBytes: number) {
  const server = new grpc.Server();
  const definition: grpc.MethodDefinition<Uint8Array, Uint8Array> = {
    path,
    requestStream: false,
    responseStream: true,
    requestSerialize: asBuffer,
    requestDeserialize: asIs,
    responseSerialize: asBuffer,
    responseDeserialize: asIs,
  };
  const handle: grpc.handleServerStreamingCall<Uint8Array, Uint8Array> = async (call) => {
    for (let i = 0; i < messageCount; i++) {
      if (!call.write(numbered(i, messageBytes))) await new Promise((resolve) => call.once("drain", resolve));
    }
    call.end();
  };
  server.addService({ Stream: definition }, { Stream: handle });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
  return { address: `127.0.0.1:${port}`, close: async () => server.forceShutdown() };
}

async function readPleiad(network: Network, address: string, messageBytes: number): Promise<number> {
  const client = network.rpcClient(address);
  const options = { signal: new AbortController().signal, timeoutMs: 120_000, messageBytesMax: messageBytes };
  let checksum = 0;
  for await (const messages of client.stream(path, new Uint8Array(0), options)) {
    for (const message of messages) checksum += sumOf(message);
  }
  await client.close();
  return checksum;
}

async function readGrpcJs(_network: Network, address: string): Promise<number> {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  let checksum = 0;
  const call = client.makeServerStreamRequest(path, asBuffer, asIs, new Uint8Array(0));
  await new Promise((resolve, reject) => {
    call.on("data", (message: Uint8Array) => {
      checksum += sumOf(message);
    });
    call.on("end", resolve);
    call.on("error", reject);
  });
  client.close();
  return checksum;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const [messageCount, messageBytes] of [
    [100_000, 530],
    [200, 1_000_000],
  ] as const) {
    process.stdout.write(`${messageCount} messages of ${messageBytes} bytes\n`);
    for (const server of ["pleiad", "grpc-js"] as const) {
      for (const client of ["pleiad", "grpc-js"] as const) {
        await benchGrpcStream(server, client, Math.ceil(messageCount / 10), messageBytes); // warms up
        const { messagesPerSecond, cpuSeconds, checksum } = await benchGrpcStream(
          server,
          client,
          messageCount,
          messageBytes,
        );
        const rate = `${Math.round(messagesPerSecond)} msg/s`.padStart(14);
        const throughput = `${((messagesPerSecond * messageBytes) / 1e6).toFixed(0)} MB/s`.padStart(10);
        process.stdout.write(
          `  ${server.padEnd(8)} -> ${client.padEnd(8)}${rate}${throughput}  ${cpuSeconds.toFixed(2)} cpu s  checksum ${checksum}\n`,
        );
      }
    }
  }
}
