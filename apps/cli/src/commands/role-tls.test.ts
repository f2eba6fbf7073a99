/** The listeners of roles over TLS, as their flags say. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNodePorts } from "@pleiad/node-ports";
import { silentObservations } from "@pleiad/ports/testing";
import type { ClientTls } from "@pleiad/ports";
import { createStoreClient, defaultStoreClient } from "@pleiad/storeapi";
import { afterEach, describe, expect, it } from "vitest";

const root = new URL("../../../../", import.meta.url);
const main = fileURLToPath(new URL("apps/cli/src/main.ts", root));
const pem = (name: string) => fileURLToPath(new URL(`packages/node-ports/testdata/tls/${name}`, root));
const observations = silentObservations();
const ports = { ...createNodePorts({ observations }), observations };
const trusting: ClientTls = { caFile: pem("authority.pem"), verifiesServer: true, minVersion: "1.3" };
const known: ClientTls = { ...trusting, certFile: pem("client.pem"), keyFile: pem("client.key") };

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

function run(args: readonly string[]): void {
  const child = spawn(process.execPath, [main, ...args], { stdio: "ignore" });
  closers.push(async () => {
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
  });
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pleiad-tls-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** What the role says of itself, asked until it listens; or why it does not. */
async function infoOf(address: string, tls: ClientTls | undefined): Promise<string> {
  for (;;) {
    const client = createStoreClient(address, ports, {
      ...defaultStoreClient,
      name: "role",
      connection: tls === undefined ? {} : { tls },
    });
    const answer = await client.info(new AbortController().signal);
    await client.close();
    if (answer.ok) return answer.value.componentType;
    const reason = "reason" in answer.failure ? answer.failure.reason : answer.failure.kind;
    if (!reason.includes("connection refused")) return reason;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const own = ["--grpc-server-tls-cert", pem("server.pem"), "--grpc-server-tls-key", pem("server.key")];

describe("over TLS", { timeout: 60_000 }, () => {
  it("a sidecar serves StoreAPI, before its Prometheus is there too, and only to clients that it knows", async () => {
    const grpc = await freeAddress();
    const addresses = [
      "--grpc-address",
      grpc,
      "--http-address",
      "127.0.0.1:0",
      "--prometheus.url",
      "http://127.0.0.1:1",
    ];
    run([
      "sidecar",
      ...addresses,
      "--tsdb.path",
      temporaryFolder(),
      ...own,
      "--grpc-server-tls-client-ca",
      pem("authority.pem"),
    ]);
    expect(await infoOf(grpc, known)).toBe("sidecar");
    expect(await infoOf(grpc, trusting)).toMatch(/certificate/);
    expect(await infoOf(grpc, undefined)).not.toBe("sidecar");
  });

  it("a receiver serves StoreAPI and takes remote write, each by its own flags", async () => {
    const [grpc, write] = [await freeAddress(), await freeAddress()];
    const addresses = ["--grpc-address", grpc, "--http-address", "127.0.0.1:0", "--remote-write.address", write];
    const ofWrites = [
      "--remote-write.server-tls-cert",
      pem("server.pem"),
      "--remote-write.server-tls-key",
      pem("server.key"),
    ];
    const clients = ["--remote-write.server-tls-client-ca", pem("authority.pem")];
    run(["receive", ...addresses, "--tsdb.path", temporaryFolder(), ...own, ...ofWrites, ...clients]);
    expect(await infoOf(grpc, trusting)).toBe("receive");
    const shown = { cert: readFileSync(pem("client.pem")), key: readFileSync(pem("client.key")) };
    expect(await post(write, shown)).toBe(400); // no snappy in it, which only who was let in is told
    expect(await post(write, {})).not.toBe(400);
  });
});

/** The status of an empty request, or the code of the failure. */
async function post(address: string, shown: { readonly cert?: Buffer; readonly key?: Buffer }) {
  const [host, port] = address.split(":");
  const options = {
    host,
    port,
    path: "/api/v1/receive",
    method: "POST",
    agent: false,
    ca: readFileSync(pem("authority.pem")),
  };
  return await new Promise((resolve) => {
    const call = request({ ...options, ...shown }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    call.on("error", (error: Error & { code?: string }) => resolve(error.code));
    call.end();
  });
}
