/** The cache as people configure it: Thanos's `--query-range.response-cache-config`, already parsed from YAML. */
import { fail, ok, parseDuration, type Result } from "@pleiad/model";
import type { Observations } from "@pleiad/ports";
import { createRedisCache, defaultRedisCache, type RedisCacheOptions } from "./redis-cache.ts";
import { createMemoryCache, defaultMemoryCache, type MemoryCacheOptions, type ResultsCache } from "./results-cache.ts";

export type CacheConfig = (
  | { readonly type: "IN-MEMORY"; readonly memory: MemoryCacheOptions }
  | { readonly type: "REDIS"; readonly redis: RedisCacheOptions }
) & {
  readonly validityMs: number; // nothing older is used
  readonly timeoutMs: number; // of one question to it
};

const dayMs = 86_400_000;
const timeoutMsUsual = 500;

/** The failure is every problem, each behind the name of its field. */
export function parseCacheConfig(value: unknown): Result<CacheConfig, readonly string[]> {
  const problems: string[] = [];
  const whole = new FieldReader(value, "", problems);
  const type = whole.text("type").toUpperCase();
  const fields = new FieldReader(whole.take("config") ?? {}, "config.", problems);
  let config: CacheConfig;
  switch (type) {
    case "IN-MEMORY":
      config = readMemory(fields);
      break;
    case "REDIS":
      config = readRedis(fields, problems);
      break;
    case "MEMCACHED":
      return fail(["type: MEMCACHED is not supported, use IN-MEMORY or REDIS"]);
    default:
      return fail([`type: expected IN-MEMORY or REDIS, not ${JSON.stringify(type)}`]);
  }
  fields.refuseOthers();
  whole.refuseOthers();
  return problems.length > 0 ? fail(problems) : ok(config);
}

/** Opens it; a Redis that is away is no failure. */
export async function openCache(
  config: CacheConfig,
  ports: { readonly observations: Observations },
): Promise<ResultsCache> {
  return config.type === "IN-MEMORY" ? createMemoryCache(config.memory) : await createRedisCache(config.redis, ports);
}

function readMemory(fields: FieldReader): CacheConfig {
  const bytesMax = fields.size("max_size") || defaultMemoryCache.bytesMax;
  const memory: MemoryCacheOptions = {
    bytesMax,
    itemsMax: fields.count("max_size_items"),
    itemBytesMax: Math.min(defaultMemoryCache.itemBytesMax, Math.ceil(bytesMax / 2)),
  };
  return { type: "IN-MEMORY", memory, validityMs: fields.duration("validity") || dayMs, timeoutMs: timeoutMsUsual };
}

/** Fields of Thanos whose values change nothing here: its client's own ways with many keys at once. */
const redisFieldsIgnored = [
  "max_get_multi_concurrency",
  "get_multi_batch_size",
  "max_set_multi_concurrency",
  "set_multi_batch_size",
  "max_async_buffer_size",
  "max_async_concurrency",
  "write_timeout",
];

function readRedis(fields: FieldReader, problems: string[]): CacheConfig {
  const address = fields.text("addr");
  const [, host = "", port = ""] = /^(\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(address) ?? [];
  if (host === "" || Number(port) > 65_535) problems.push("config.addr: expected host:port");
  for (const name of redisFieldsIgnored) fields.take(name);
  const expirationMs = fields.duration("expiration") || dayMs;
  const redis: RedisCacheOptions = {
    ...defaultRedisCache,
    host: host.replace(/^\[|\]$/g, ""),
    port: Number(port),
    username: fields.text("username"),
    password: fields.text("password"),
    database: fields.count("db"),
    tls: fields.switch("tls_enabled"),
    connectTimeoutMs: fields.duration("dial_timeout") || defaultRedisCache.connectTimeoutMs,
    expirationMs,
  };
  return {
    type: "REDIS",
    redis,
    validityMs: expirationMs,
    timeoutMs: fields.duration("read_timeout") || timeoutMsUsual,
  };
}

const sizeFactors: Readonly<Record<string, number>> = {
  "": 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** The fields of one object, each read once; what is absent is "", 0 or false. */
class FieldReader {
  readonly #fields: Map<string, unknown>;
  readonly #place: string;
  readonly #problems: string[];

  constructor(value: unknown, place: string, problems: string[]) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject) problems.push(`${place === "" ? "the configuration" : place.replace(/\.$/, "")}: expected fields`);
    this.#fields = new Map(isObject ? Object.entries(value) : []);
    this.#place = place;
    this.#problems = problems;
  }

  take(name: string): unknown {
    const value = this.#fields.get(name);
    this.#fields.delete(name);
    return value ?? undefined;
  }

  text(name: string): string {
    const value = this.take(name) ?? "";
    return typeof value === "string" ? value : this.#refuse(name, "expected a text", "");
  }

  count(name: string): number {
    const value = this.take(name) ?? 0;
    const isCount = typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
    return isCount ? value : this.#refuse(name, "expected a whole number", 0);
  }

  switch(name: string): boolean {
    const value = this.take(name) ?? false;
    return typeof value === "boolean" ? value : this.#refuse(name, "expected true or false", false);
  }

  duration(name: string): number {
    const value = this.take(name) ?? 0;
    if (value === 0 || value === "0") return 0;
    const duration = parseDuration(textOf(value));
    return duration.ok ? duration.value : this.#refuse(name, "expected a duration such as 30s or 24h", 0);
  }

  size(name: string): number {
    const value = this.take(name) ?? 0;
    const [, amount, unit = ""] = /^(\d+(?:\.\d+)?) ?([KMGT]i?)?B?$/.exec(textOf(value)) ?? [];
    if (amount === undefined) return this.#refuse(name, "expected a size such as 250MB or 1GiB", 0);
    return Math.floor(Number(amount) * (sizeFactors[unit] ?? 1));
  }

  refuseOthers(): void {
    for (const name of this.#fields.keys()) this.#problems.push(`${this.#place}${name}: is not known`);
  }

  #refuse<T>(name: string, expected: string, instead: T): T {
    this.#problems.push(`${this.#place}${name}: ${expected}`);
    return instead;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
