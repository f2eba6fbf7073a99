/** The query frontend over real sockets: in front of a real querier, beside one that breaks off, with a real Redis. */
import { spawn, type ChildProcess } from "node:child_process";
import { connect, createServer, type Server } from "node:net";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { labelsFromRecord } from "@pleiad/model";
import { connectTcp, createNodePorts } from "@pleiad/node-ports";
import type { Listener } from "@pleiad/ports";
import { startQuerier, type Querier } from "@pleiad/role-querier";
import {
  defaultQueryFrontend,
  openCache,
  parseCacheConfig,
  startQueryFrontend,
  type QueryFrontend,
  type QueryFrontendOptions,
} from "@pleiad/role-query-frontend";
import { storeHandlers } from "@pleiad/storeapi";
import { memorySource, seriesOf } from "@pleiad/storeapi/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eventually, peerMissing, temporaryFolder } from "./twin-under-test.ts";

const storeAddress = "127.0.0.1:33510";
const querierAddress = "127.0.0.1:33511";
const brokenPort = 33_513;
const redisPort = 26_203; // below the ports that outgoing connections take
const memcachedPorts = [26_200, 26_201] as const;

const dayMs = 86_400_000;
const stepMs = 60_000;
const endMs = Math.floor(Date.now() / dayMs) * dayMs - dayMs / 2;

describe("a query frontend over sockets", () => {
  const registry = createMetricRegistry();
  const ports = createNodePorts({ observations: observationsOf(registry, () => {}) });
  const cachePorts = { ...ports, connectTcp };
  let store: Listener;
  let querier: Querier;
  const frontends: QueryFrontend[] = [];

  beforeAll(async () => {
    const labels = (i: number) => labelsFromRecord({ __name__: "level", cluster: "c1", part: String(i), replica: "0" });
    const times = Array.from({ length: (3 * dayMs) / stepMs }, (_, i) => endMs - 3 * dayMs + (i + 1) * stepMs);
    const series = Array.from({ length: 20 }, (_, part) =>
      seriesOf(
        labels(part),
        times.filter((_, i) => (i * 7 + part) % 11 > 2).map((atMs, i) => [atMs, Math.sin(i + part) * 1e6] as const),
      ),
    );
    const identity = {
      componentType: "sidecar",
      labelSets: [labelsFromRecord({ cluster: "c1", replica: "0" })],
      minTimeMs: 0,
      maxTimeMs: Number.MAX_SAFE_INTEGER,
      tsdbInfos: [],
    };
    store = await ports.network.serveRpc(
      storeAddress,
      storeHandlers(memorySource(series), () => identity),
    );
    const started = await startQuerier(
      {
        name: "querier",
        httpAddress: querierAddress,
        grpcAddress: "127.0.0.1:33512",
        endpoints: [{ address: storeAddress, name: "c1", expects: [] }],
        replicaLabels: ["replica"],
        renderMetrics: () => "",
      },
      ports,
    );
    if (!started.ok) throw new Error(started.failure.message);
    querier = started.value;
    await eventually("the querier is ready", 10_000, async () => (querier.ready().ready ? true : undefined));
  });
  afterEach(async () => {
    await Promise.all(frontends.splice(0).map((frontend) => frontend.stop(0)));
  });
  afterAll(async () => {
    await querier.stop(0);
    await store.close(0);
  });

  const start = async (options: Partial<QueryFrontendOptions> = {}) => {
    const started = await startQueryFrontend(
      {
        ...defaultQueryFrontend,
        name: "frontend",
        httpAddress: "127.0.0.1:0",
        downstreamUrls: [`http://${querierAddress}`],
        renderMetrics: () => registry.render(),
        ...options,
      },
      ports,
    );
    if (!started.ok) throw new Error(started.failure.message);
    frontends.push(started.value);
    await eventually("the frontend is ready", 10_000, async () => (started.value.ready().ready ? true : undefined));
    return started.value.httpAddress;
  };
  const question = (query: string) => {
    const times = { start: String((endMs - 2.5 * dayMs) / 1000), end: String(endMs / 1000), step: "600" };
    return `/api/v1/query_range?${new URLSearchParams({ query, ...times }).toString()}`;
  };
  const ask = async (address: string, path: string) => {
    const answer = await fetch(`http://${address}${path}`);
    return [answer.status, await answer.text()];
  };
  const queries = [
    "level",
    "sum(level)",
    "rate(level[15m])",
    "topk(3, level)",
    "max by (part) (level offset 1d)",
    "sum(",
  ];
  const partsAsked = () =>
    Number(/^pleiad_query_frontend_queue_duration_seconds_count (\d+)$/m.exec(registry.render())?.[1] ?? 0);

  it("gives the answers of its querier, cold and warm", async () => {
    const cache = await openCache(
      {
        type: "IN-MEMORY",
        memory: { bytesMax: 1 << 26, itemsMax: 0, itemBytesMax: 1 << 24 },
        validityMs: dayMs,
        timeoutMs: 500,
      },
      cachePorts,
    );
    const address = await start({ cache });
    for (const round of ["cold", "warm"]) {
      for (const query of queries) {
        expect([round, await ask(address, question(query))]).toEqual([
          round,
          await ask(querierAddress, question(query)),
        ]);
      }
    }
    const before = partsAsked();
    await ask(address, question("sum(level)"));
    expect(partsAsked()).toBe(before);
  });

  describe("beside a querier that breaks off its answers", () => {
    let broken: Server;
    let brokenOff = 0;
    beforeAll(async () => {
      broken = createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", (bytes) => {
          if (bytes.toString().startsWith("GET /-/ready")) {
            socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            return;
          }
          brokenOff++;
          socket.write(
            'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"status":"succ',
          );
          setTimeout(() => socket.destroy(), 20);
        });
      });
      await new Promise<void>((resolve) => broken.listen(brokenPort, "127.0.0.1", resolve));
    });
    afterAll(() => void broken.close());

    it("gives the answers of the other", async () => {
      const address = await start({ downstreamUrls: [`http://127.0.0.1:${brokenPort}`, `http://${querierAddress}`] });
      for (const query of queries) {
        expect(await ask(address, question(query))).toEqual(await ask(querierAddress, question(query)));
      }
      expect(brokenOff).toBeGreaterThan(0);
    });
  });

  describe.skipIf(peerMissing("redis-server"))("with a Redis", () => {
    const folder = temporaryFolder();
    let redis: ChildProcess | undefined;
    const startRedis = async () => {
      const flags = ["--port", String(redisPort), "--bind", "127.0.0.1", "--save", "", "--dir", folder.path];
      redis = spawn("redis-server", flags, { stdio: "ignore" });
      await eventually("Redis", 10_000, async () => ((await listens(redisPort)) ? true : undefined));
    };
    const signalRedis = (signal: "SIGSTOP" | "SIGCONT" | "SIGKILL") => redis?.kill(signal);
    const openRedis = async () => {
      const where = { host: "127.0.0.1", port: redisPort, username: "", password: "", database: 0, tls: false };
      const redis = { ...where, connectTimeoutMs: 1_000, expirationMs: dayMs, itemBytesMax: 1 << 24 };
      return await openCache({ type: "REDIS", redis, validityMs: dayMs, timeoutMs: 200 }, cachePorts);
    };
    beforeAll(startRedis);
    afterAll(async () => {
      signalRedis("SIGCONT");
      signalRedis("SIGKILL");
      await eventually("Redis has ended", 10_000, async () => ((await listens(redisPort)) ? undefined : true));
      folder.remove();
    });

    it("what one frontend has kept, another has too", async () => {
      const first = await start({ cache: await openRedis() });
      const direct = await ask(querierAddress, question("level"));
      expect(await ask(first, question("level"))).toEqual(direct);
      const second = await start({ cache: await openRedis() });
      await eventually("an answer from the cache", 10_000, async () => {
        const before = partsAsked();
        expect(await ask(second, question("level"))).toEqual(direct);
        return partsAsked() === before ? true : undefined;
      });
    });

    it("that hangs, dies and comes back costs no answer", async () => {
      const address = await start({ cache: await openRedis(), cacheTimeoutMs: 200 });
      const direct = await ask(querierAddress, question("sum(level)"));
      for (const happens of [
        () => undefined,
        () => signalRedis("SIGSTOP"),
        () => signalRedis("SIGKILL"),
        () => undefined,
        startRedis,
      ]) {
        await happens();
        expect(await ask(address, question("sum(level)"))).toEqual(direct);
      }
      expect(registry.render()).toMatch(/pleiad_query_frontend_cache_failures_total\{.*\} [1-9]/);
    });
  });

  describe.skipIf(peerMissing("memcached"))("with two memcached", () => {
    const servers = new Map<number, ChildProcess>();
    const startMemcached = async (port: number) => {
      // It refuses to run as root unless it is told whom to be.
      const flags = ["-p", String(port), "-l", "127.0.0.1", "-U", "0", "-u", "nobody", "-m", "64", "-I", "8m"];
      servers.set(port, spawn("memcached", flags, { stdio: "ignore" }));
      await eventually("memcached", 10_000, async () => ((await listens(port)) ? true : undefined));
    };
    const signalAll = (signal: "SIGSTOP" | "SIGCONT" | "SIGKILL", ports_: readonly number[] = memcachedPorts) => {
      for (const port of ports_) servers.get(port)?.kill(signal);
    };
    const startBoth = async () => {
      for (const port of memcachedPorts) await startMemcached(port);
    };
    const openMemcached = async () => {
      const addresses = memcachedPorts.map((port) => `127.0.0.1:${port}`);
      const config = parseCacheConfig({
        type: "MEMCACHED",
        config: { addresses, timeout: "200ms", max_item_size: "7MiB" },
      });
      if (!config.ok) throw new Error(config.failure.join("; "));
      return await openCache(config.value, cachePorts);
    };
    beforeAll(startBoth);
    afterAll(async () => {
      signalAll("SIGCONT");
      signalAll("SIGKILL");
      await eventually("both have ended", 10_000, async () => {
        const open = await Promise.all(memcachedPorts.map(listens));
        return open.includes(true) ? undefined : true;
      });
    });

    it("what one frontend has kept, another has too", async () => {
      const first = await start({ cache: await openMemcached() });
      const direct = await ask(querierAddress, question("level"));
      expect(await ask(first, question("level"))).toEqual(direct);
      const second = await start({ cache: await openMemcached() });
      await eventually("an answer from the cache", 10_000, async () => {
        const before = partsAsked();
        expect(await ask(second, question("level"))).toEqual(direct);
        return partsAsked() === before ? true : undefined;
      });
    });

    it("that hang, die and come back cost no answer", async () => {
      const address = await start({ cache: await openMemcached(), cacheTimeoutMs: 200 });
      const direct = await ask(querierAddress, question("sum(level)"));
      for (const happens of [
        async () => {},
        async () => signalAll("SIGSTOP", memcachedPorts.slice(0, 1)),
        async () => signalAll("SIGSTOP"),
        async () => signalAll("SIGKILL"),
        async () => {},
        startBoth,
      ]) {
        await happens();
        expect(await ask(address, question("sum(level)"))).toEqual(direct);
      }
    });
  });

  it("with what is no memcached at all, costs no answer", async () => {
    const other = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.write("VALUE x 0 5\r\nhello\r\nEND\r\nSTORED\r\n"));
    });
    await new Promise<void>((resolve) => other.listen(26_202, "127.0.0.1", resolve));
    const config = parseCacheConfig({ type: "MEMCACHED", config: { addresses: ["127.0.0.1:26202"] } });
    if (!config.ok) throw new Error(config.failure.join("; "));
    const address = await start({ cache: await openCache(config.value, cachePorts) });
    for (const query of queries) {
      for (const round of [1, 2]) {
        expect([round, await ask(address, question(query))]).toEqual([
          round,
          await ask(querierAddress, question(query)),
        ]);
      }
    }
    other.close();
  });
});

async function listens(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
