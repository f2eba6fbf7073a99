/**
 * gRPC over TLS: who is let in, what a failed handshake is called, certificates that change, and grpc-js as the other side.
 * The certificates of `testdata/tls` are good until 2120, but for `ended`; the keys of their authorities are gone.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import type { CallOptions, ClientTls, RpcHandler, ServerTls } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { afterEach, describe, expect, it } from "vitest";
import { createNodePorts } from "./node-ports.ts";

const { network } = createNodePorts({ observations: silentObservations() });
const callOptions: CallOptions = {
  signal: new AbortController().signal,
  timeoutMs: 30_000,
  messageBytesMax: 1_000_000,
};
const path = (name: string) => fileURLToPath(new URL(`../testdata/tls/${name}`, import.meta.url));
const pem = (name: string) => readFileSync(path(name));
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);
const asBuffer = (message: Uint8Array) => Buffer.from(message);
const asBytes = (buffer: Buffer) => new Uint8Array(buffer);

const serverTls: ServerTls = { certFile: path("server.pem"), keyFile: path("server.key"), minVersion: "1.3" };
const mutualTls: ServerTls = { ...serverTls, clientCaFile: path("authority.pem") };
const clientTls: ClientTls = { caFile: path("authority.pem"), verifiesServer: true, minVersion: "1.3" };
const shown = (name: string): ClientTls => ({
  ...clientTls,
  certFile: path(`${name}.pem`),
  keyFile: path(`${name}.key`),
});

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

const echo: RpcHandler = { kind: "unary", handle: async (request) => request };

async function serve(tls: ServerTls | undefined): Promise<string> {
  const listener = await network.serveRpc("127.0.0.1:0", new Map([["/t.T/Echo", echo]]), tls && { tls });
  closers.push(() => listener.close(0));
  return listener.address;
}

/** What a call says: its answer, or its failure without the address. */
async function ask(address: string, tls: ClientTls | undefined): Promise<string> {
  const client = network.rpcClient(address, tls && { tls });
  closers.push(() => client.close());
  try {
    return text(await client.call("/t.T/Echo", bytes("hello"), callOptions));
  } catch (error) {
    return String(error).replaceAll(address, "it");
  }
}

describe("who is let in, and what it is called when not", () => {
  const refused =
    /^(closed by the peer in the TLS handshake: does it want|it wants a certificate, and was shown none$)/;
  const untrusted = "its certificate is not signed by an authority that is trusted here";
  for (const [rule, server, client, outcome] of [
    ["a server that the authority signed", serverTls, clientTls, "hello"],
    ["by another of its names", serverTls, { ...clientTls, serverName: "store.example" }, "hello"],
    [
      "not by a name that it does not have",
      serverTls,
      { ...clientTls, serverName: "other.example" },
      /Hostname\/IP does not match certificate's altnames: Host: other\.example/,
    ],
    ["not under another authority", serverTls, { ...clientTls, caFile: path("stranger.pem") }, untrusted],
    ["not under those that the machine trusts", serverTls, { verifiesServer: true, minVersion: "1.3" }, untrusted],
    ["whoever it is, where that is wanted", serverTls, { verifiesServer: false, minVersion: "1.3" }, "hello"],
    [
      "not with a certificate that has ended",
      { ...serverTls, certFile: path("ended.pem"), keyFile: path("ended.key") },
      clientTls,
      "its certificate has ended",
    ],
    ["a client with a certificate, where one is wanted", mutualTls, shown("client"), "hello"],
    ["no client without", mutualTls, clientTls, refused],
    ["no client of another authority", mutualTls, shown("stranger-client"), refused],
    [
      "no client that has files which are not there",
      mutualTls,
      shown("nobody"),
      /certificate file .*nobody\.(pem|key): ENOENT/,
    ],
    ["no TLS where the server speaks none", undefined, clientTls, "it does not speak TLS"],
  ] as const) {
    it(rule, async () => {
      const said = await ask(await serve(server), client);
      if (outcome === "hello") return expect(said).toBe("hello");
      expect(said).toMatch(/^RpcError: connect to it: /);
      expect(said.replace("RpcError: connect to it: ", "")).toMatch(
        typeof outcome === "string" ? new RegExp(`^${outcome}$`) : outcome,
      );
    });
  }

  it("nobody in plain text", async () => {
    expect(await ask(await serve(serverTls), undefined)).toMatch(/^RpcError: connect to it: /);
  });

  it("no server without its files", async () => {
    await expect(serve({ ...serverTls, keyFile: path("nobody.key") })).rejects.toThrow(
      /127\.0\.0\.1:0: certificate file .*nobody\.key: ENOENT/,
    );
  });
});

describe("certificates that change while the server runs", () => {
  const folder = () => {
    const made = mkdtempSync(join(tmpdir(), "pleiad-tls-"));
    closers.push(() => rmSync(made, { recursive: true }));
    return made;
  };
  const subjectOf = async (address: string) => {
    const { connect } = await import("node:tls");
    const [host, port] = address.split(":");
    return await new Promise<string>((resolve, reject) => {
      const socket = connect({ host, port: Number(port), ca: pem("authority.pem"), ALPNProtocols: ["h2"] }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.on("error", reject);
    });
  };

  it("are shown to those who come after; a pair that does not fit leaves the old one", async () => {
    const into = folder();
    const [certFile, keyFile] = [join(into, "tls.crt"), join(into, "tls.key")];
    copyFileSync(path("server.pem"), certFile);
    copyFileSync(path("server.key"), keyFile);
    const address = await serve({ certFile, keyFile, minVersion: "1.3" });
    expect(await subjectOf(address)).toBe("server");
    writeFileSync(certFile, pem("server-next.pem"));
    expect(await subjectOf(address)).toBe("server");
    writeFileSync(keyFile, pem("server-next.key"));
    expect(await subjectOf(address)).toBe("server-next");
  });

  it("of a client are those of its files when it connects", async () => {
    const into = folder();
    const [certFile, keyFile] = [join(into, "tls.crt"), join(into, "tls.key")];
    const use = (name: string) => {
      copyFileSync(path(`${name}.pem`), certFile);
      copyFileSync(path(`${name}.key`), keyFile);
    };
    const address = await serve(mutualTls);
    use("stranger-client");
    expect(await ask(address, { ...clientTls, certFile, keyFile })).toMatch(/in the TLS handshake/);
    use("client");
    expect(await ask(address, { ...clientTls, certFile, keyFile })).toBe("hello");
  });
});

describe("grpc-js as the other side, with certificates on both", () => {
  it("as the server", async () => {
    const server = new grpc.Server();
    server.addService(
      {
        Echo: {
          path: "/t.T/Echo",
          requestStream: false,
          responseStream: false,
          requestSerialize: asBuffer,
          requestDeserialize: asBytes,
          responseSerialize: asBuffer,
          responseDeserialize: asBytes,
        },
      },
      { Echo: ((call, done) => done(null, call.request)) as grpc.handleUnaryCall<Uint8Array, Uint8Array> },
    );
    const pair = { cert_chain: pem("server.pem"), private_key: pem("server.key") };
    const credentials = grpc.ServerCredentials.createSsl(pem("authority.pem"), [pair], true);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
    });
    closers.push(() => server.forceShutdown());
    expect(await ask(`127.0.0.1:${port}`, shown("client"))).toBe("hello");
    expect(await ask(`127.0.0.1:${port}`, clientTls)).toMatch(/^RpcError: /);
  });

  it("as the client", async () => {
    const address = await serve(mutualTls);
    const credentials = grpc.credentials.createSsl(pem("authority.pem"), pem("client.key"), pem("client.pem"));
    const client = new grpc.Client(address, credentials);
    closers.push(() => client.close());
    const answer = await new Promise<Uint8Array | undefined>((resolve, reject) => {
      client.makeUnaryRequest("/t.T/Echo", asBuffer, asBytes, bytes("hello"), (error, value) =>
        error === null ? resolve(value) : reject(error),
      );
    });
    expect(answer && text(answer)).toBe("hello");
  });
});
