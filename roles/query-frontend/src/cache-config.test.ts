import { describe, expect, it } from "vitest";
import { parseCacheConfig } from "./cache-config.ts";

const hourMs = 3_600_000;

describe("a configuration of the cache in Thanos's form", () => {
  it("IN-MEMORY with its bounds", () => {
    const config = { max_size: "250MB", max_size_items: 1000, validity: "6h" };
    expect(parseCacheConfig({ type: "IN-MEMORY", config })).toMatchObject({
      ok: true,
      value: { type: "IN-MEMORY", memory: { bytesMax: 250_000_000, itemsMax: 1000 }, validityMs: 6 * hourMs },
    });
  });

  it("IN-MEMORY with nothing said", () => {
    expect(parseCacheConfig({ type: "in-memory" })).toMatchObject({
      ok: true,
      value: { memory: { bytesMax: 64 * 2 ** 20, itemsMax: 0 }, validityMs: 24 * hourMs },
    });
  });

  it("REDIS with a name, a password and times", () => {
    const config = {
      addr: "redis.monitoring:6379",
      username: "pleiad",
      password: "secret",
      db: 2,
      dial_timeout: "1s",
      read_timeout: "200ms",
      max_get_multi_concurrency: 10,
      expiration: "12h",
    };
    expect(parseCacheConfig({ type: "REDIS", config })).toMatchObject({
      ok: true,
      value: {
        redis: { host: "redis.monitoring", port: 6379, username: "pleiad", database: 2, connectTimeoutMs: 1_000 },
        validityMs: 12 * hourMs,
        timeoutMs: 200,
      },
    });
  });

  it("MEMCACHED with several servers, an expiration and a bound of items", () => {
    const config = {
      addresses: ["m-0:11211", "dns+[::1]:11212"],
      timeout: "300ms",
      max_idle_connections: 100,
      max_item_size: "2MiB",
      auto_discovery: false,
      expiration: "6h",
    };
    const common = { expirationMs: 6 * hourMs, itemBytesMax: 2 * 2 ** 20 };
    expect(parseCacheConfig({ type: "MEMCACHED", config })).toMatchObject({
      ok: true,
      value: {
        servers: [
          { host: "m-0", port: 11211, ...common },
          { host: "::1", port: 11212, ...common },
        ],
        validityMs: 6 * hourMs,
        timeoutMs: 300,
      },
    });
  });

  for (const [rule, value, problems] of [
    ["another type", { type: "DISK" }, ['type: expected IN-MEMORY, REDIS or MEMCACHED, not "DISK"']],
    ["no fields", "REDIS", ['type: expected IN-MEMORY, REDIS or MEMCACHED, not ""']],
    [
      "a memcached that is nowhere, or to be discovered",
      { type: "MEMCACHED", config: { addresses: ["dnssrv+_m._tcp.x"], auto_discovery: true } },
      [
        "config.auto_discovery: is not supported, name the addresses",
        'config.addresses: expected host:port, not "dnssrv+_m._tcp.x"',
      ],
    ],
    ["a memcached without addresses", { type: "MEMCACHED" }, ["config.addresses: expected a list of host:port"]],
    [
      "addresses that are no list",
      { type: "MEMCACHED", config: { addresses: "m:11211" } },
      ["config.addresses: expected a list of texts", "config.addresses: expected a list of host:port"],
    ],
    [
      "every problem at once",
      { type: "REDIS", config: { addr: "redis", db: -1, expiration: "soon", colour: "red" }, more: 1 },
      [
        "config.addr: expected host:port",
        "config.expiration: expected a duration such as 30s or 24h",
        "config.db: expected a whole number",
        "config.colour: is not known",
        "more: is not known",
      ],
    ],
    [
      "a size that is none",
      { type: "IN-MEMORY", config: { max_size: "much" } },
      ["config.max_size: expected a size such as 250MB or 1GiB"],
    ],
  ] as const) {
    it(`refuses ${rule}`, () => expect(parseCacheConfig(value)).toEqual({ ok: false, failure: problems }));
  }
});
