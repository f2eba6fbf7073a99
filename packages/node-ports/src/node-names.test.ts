/** Against a name server made by hand, which answers for one service. */
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { nodeNames } from "./node-names.ts";

const label = (name: string) =>
  Buffer.concat([
    ...name.split(".").map((part) => Buffer.from(`${String.fromCharCode(part.length)}${part}`)),
    Buffer.alloc(1),
  ]);

const srvRecord = (host: string, port: number): Buffer => {
  const data = Buffer.concat([Buffer.alloc(4), Buffer.from([port >> 8, port & 255]), label(host)]);
  // The name of the question, SRV, IN, 30 s, length.
  return Buffer.concat([Buffer.from([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 30, data.length >> 8, data.length & 255]), data]);
};

let close = () => {};
afterEach(() => close());

async function nameServer(records: Readonly<Record<string, readonly (readonly [host: string, port: number])[]>>) {
  const socket = createSocket("udp4");
  socket.on("message", (query: Buffer, from: RemoteInfo) => {
    let end = 12;
    const parts: string[] = [];
    for (let length = query[end] ?? 0; length > 0; length = query[end] ?? 0) {
      parts.push(query.toString("latin1", end + 1, end + 1 + length));
      end += 1 + length;
    }
    const found = records[parts.join(".").toLowerCase()];
    const answers = (found ?? []).map(([host, port]) => srvRecord(host, port));
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(found === undefined ? 0x8183 : 0x8180, 2); // NXDOMAIN, or an answer
    head.writeUInt16BE(answers.length, 6);
    head.writeUInt32BE(0, 8);
    socket.send(Buffer.concat([head, query.subarray(12, end + 5), ...answers]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  close = () => socket.close();
  return nodeNames({ servers: [`127.0.0.1:${socket.address().port}`] });
}

describe("names", () => {
  it("of this machine are found as everywhere on it", async () => {
    expect(await nodeNames().hostAddresses("localhost")).toContain("127.0.0.1");
    expect(await nodeNames().hostAddresses("127.0.0.7")).toEqual(["127.0.0.7"]);
  });

  it("that do not exist are told", async () => {
    await expect(nodeNames().hostAddresses("nosuch.invalid")).rejects.toThrow(/^name not (found|resolved)/);
  });

  it("of services give their targets", async () => {
    const names = await nameServer({
      "_grpc._tcp.store.test": [
        ["store-0.test", 10_901],
        ["store-1.test", 10_902],
      ],
      "_grpc._tcp.none.test": [],
    });
    const found = await names.services("_grpc._tcp.store.test");
    expect([...found].sort((a, b) => a.port - b.port)).toEqual([
      { host: "store-0.test", port: 10_901 },
      { host: "store-1.test", port: 10_902 },
    ]);
    await expect(names.services("_grpc._tcp.none.test")).rejects.toThrow(Error);
    await expect(names.services("_grpc._tcp.nosuch.test")).rejects.toThrow("name not found");
  });
});
