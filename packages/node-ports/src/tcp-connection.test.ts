import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { connectTcp } from "./tcp-connection.ts";

const servers: Server[] = [];
afterEach(() => void servers.splice(0).map((server) => server.close()));

async function serve(handle: (socket: Socket) => void): Promise<number> {
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** What came until the end, and why that was. */
async function talk(port: number, say: string): Promise<readonly [text: string, reason: string | undefined]> {
  return await new Promise((resolve) => {
    let text = "";
    const connection = connectTcp("127.0.0.1", port, {
      onBytes: (bytes) => (text += new TextDecoder().decode(bytes)),
      onEnd: (reason) => resolve([text, reason]),
    });
    connection.write(new TextEncoder().encode(say));
  });
}

describe("a plain connection", () => {
  it("sends what was written before it was connected, and gives what comes until the end", async () => {
    const port = await serve((socket) => socket.on("data", (bytes) => socket.end(`<${bytes.toString()}>`)));
    expect(await talk(port, "hello")).toEqual(["<hello>", undefined]);
  });

  it("that is refused says so", async () => {
    const port = await serve(() => {});
    await new Promise((resolve) => servers.pop()?.close(resolve));
    expect(await talk(port, "hello")).toEqual(["", expect.stringContaining("ECONNREFUSED")]);
  });

  it("that is destroyed ends, and sends nothing more", async () => {
    const port = await serve(() => {});
    const ended = await new Promise((resolve) => {
      const connection = connectTcp("127.0.0.1", port, {
        onBytes: () => {},
        onEnd: (reason) => resolve(reason ?? "ended"),
      });
      connection.destroy();
      connection.write(new Uint8Array(1));
    });
    expect(ended).toBe("ended");
  });
});
