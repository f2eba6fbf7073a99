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

  for (const [rule, value, problems] of [
    ["another type", { type: "DISK" }, ['type: expected IN-MEMORY or REDIS, not "DISK"']],
    ["memcached", { type: "MEMCACHED" }, ["type: MEMCACHED is not supported, use IN-MEMORY or REDIS"]],
    ["no fields", "REDIS", ['type: expected IN-MEMORY or REDIS, not ""']],
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
