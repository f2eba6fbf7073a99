import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { labelsFromRecord } from "@pleiad/model";
import { createNodePorts } from "@pleiad/node-ports";
import { silentObservations } from "@pleiad/ports/testing";
import { storeHandlers } from "@pleiad/storeapi";
import { memorySource, seriesOf } from "@pleiad/storeapi/testing";
import { Command } from "commander";
import { afterEach, describe, expect, it } from "vitest";
import { addQuerierCommand } from "./querier.ts";
import { addReceiveCommand } from "./receive.ts";
import { addSidecarCommand } from "./sidecar.ts";

const root = new URL("../../../../", import.meta.url);
const guide = readFileSync(fileURLToPath(new URL("docs/guide/querier.md", root)), "utf8");
const main = fileURLToPath(new URL("apps/cli/src/main.ts", root));
const pem = (name: string) => fileURLToPath(new URL(`packages/node-ports/testdata/tls/${name}`, root));

describe("the guide of the querier", () => {
  it("names only flags that there are", () => {
    const program = new Command();
    for (const add of [addQuerierCommand, addSidecarCommand, addReceiveCommand]) add(program);
    const flags = new Set(program.commands.flatMap((one) => one.options.map(({ long }) => long)));
    const named = [...guide.matchAll(/--[a-z][a-z0-9.-]+/g)].map(([flag]) => flag);
    expect(named.length).toBeGreaterThan(25);
    expect(named.filter((flag) => !flags.has(flag))).toEqual([]);
  });
});

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

function run(args: readonly string[]): ChildProcess {
  const own = ["--http-address", "127.0.0.1:0", "--grpc-address", "127.0.0.1:0", "--log.level", "error"];
  const child = spawn(process.execPath, [main, "querier", ...own, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  closers.push(async () => {
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
  });
  return child;
}

/** The URL that a querier says it listens on. */
async function start(args: readonly string[]): Promise<string> {
  const child = run(args);
  let said = "";
  for await (const chunk of child.stdout ?? []) {
    said += String(chunk);
    const url = /^PromQL on (\S+), StoreAPI on \S+$/m.exec(said)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error(`no querier: ${said}`);
}

async function ask(url: string, target: string): Promise<unknown> {
  return await (await fetch(`${url}/api/v1/${target}`)).json();
}

/** Resolves when every endpoint has answered or failed. */
async function whenReady(url: string): Promise<void> {
  while ((await fetch(`${url}/-/ready`)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("pleiad querier", { timeout: 60_000 }, () => {
  const nowMs = Date.now();
  const labels = (replica: string) => labelsFromRecord({ __name__: "up", cluster: "c1", replica });
  const samples = (phaseMs: number) =>
    Array.from({ length: 20 }, (_, i) => [nowMs - 600_000 + i * 30_000 + phaseMs, i] as const);
  const source = memorySource([seriesOf(labels("a"), samples(0)), seriesOf(labels("b"), samples(4_000))]);
  const identity = {
    componentType: "sidecar",
    labelSets: ["a", "b"].map((replica) => labelsFromRecord({ cluster: "c1", replica })),
    minTimeMs: 0,
    maxTimeMs: Number.MAX_SAFE_INTEGER,
    tsdbInfos: [],
  };
  const { network } = createNodePorts({ observations: silentObservations() });

  it("speaks TLS and snappy to endpoints as its flags say, finds them by name, and makes replicas one", async () => {
    const listener = await network.serveRpc(
      "127.0.0.1:0",
      storeHandlers(source, () => identity),
      {
        tls: {
          certFile: pem("server.pem"),
          keyFile: pem("server.key"),
          clientCaFile: pem("authority.pem"),
          minVersion: "1.3",
        },
      },
    );
    closers.push(() => listener.close(0));
    const port = listener.address.split(":")[1];
    const tls = ["--grpc-client-tls-secure", "--grpc-client-tls-ca", pem("authority.pem")];
    const shown = ["--grpc-client-tls-cert", pem("client.pem"), "--grpc-client-tls-key", pem("client.key")];
    const more = ["--grpc-compression=snappy", "--query.replica-label", "replica", "--deduplication.func=penalty"];
    const url = await start(["--endpoint", `dns+127.0.0.1:${port}`, ...tls, ...shown, ...more]);
    await whenReady(url);
    const at = `time=${nowMs / 1000}`;
    expect(await ask(url, `query?query=count(up)&${at}`)).toMatchObject({
      data: { result: [{ value: [nowMs / 1000, "1"] }] },
    });
    expect(await ask(url, `query?query=count_over_time(up[15m])&${at}`)).toMatchObject({
      data: { result: [{ metric: { cluster: "c1" }, value: [nowMs / 1000, "20"] }] },
    });
    expect(await ask(url, `query?query=count(up)&dedup=false&${at}`)).toMatchObject({
      data: { result: [{ value: [nowMs / 1000, "2"] }] },
    });
    expect(
      await ask(url, `query?query=up&storeMatch[]=${encodeURIComponent('{__address__="127.0.0.1:1"}')}`),
    ).toMatchObject({
      data: { result: [] },
    });

    const unknown = await start(["--endpoint", `127.0.0.1:${port}`, ...tls]);
    await whenReady(unknown);
    const answer = await ask(unknown, `query?query=up&${at}`);
    expect(answer).toMatchObject({ status: "success", data: { result: [] } });
    expect(JSON.stringify(answer)).toMatch(/endpoints missing from the answer: 127\.0\.0\.1:\d+ \(/);
    const whole = await start(["--endpoint", `127.0.0.1:${port}`, ...tls, "--no-query.partial-response"]);
    await whenReady(whole);
    expect(await ask(whole, `query?query=up&${at}`)).toMatchObject({ status: "error" });
  });

  it("ends with code 2 for flags that make no sense, and names them", async () => {
    const folder = mkdtempSync(join(tmpdir(), "pleiad-querier-"));
    closers.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "endpoints.yaml");
    writeFileSync(file, "endpoints: [{address: dns+a:1, strict: true}]");
    for (const [args, code, said] of [
      [["--endpoint-strict", "dns+store:10901"], 2, /a strict endpoint cannot be looked up: name its host and port/],
      [["--endpoint", "dns+store"], 2, /a port is missing, such as dns\+store:10901/],
      [["--endpoint", "store"], 2, /expected host:port/],
      [["--deduplication.func", "best"], 2, /auto, penalty, chain/],
      [
        ["--grpc-server-tls-cert", pem("server.pem")],
        2,
        /--grpc-server-tls-cert and --grpc-server-tls-key go together/,
      ],
      [
        ["--endpoint.sd-config-file", file],
        1,
        /endpoints\.yaml: endpoints\[0\]: a strict endpoint cannot be looked up/,
      ],
    ] as const) {
      const child = run(args);
      let stderr = "";
      child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      const [exit] = (await once(child, "close")) as [number];
      expect(stderr, args.join(" ")).toMatch(said);
      expect(exit, args.join(" ")).toBe(code);
    }
  });
});
