/** The cache as people configure it: Thanos's `--query-range.response-cache-config`, already parsed from YAML. */
import { fail, ok, parseDuration, unreachable, type Result } from "@pleiad/model";
import type { ConnectTcp, Observations } from "@pleiad/ports";
import { createMemcachedCache, defaultMemcachedCache, type MemcachedCacheOptions } from "./memcached-cache.ts";
import { createRedisCache, defaultRedisCache, type RedisCacheOptions } from "./redis-cache.ts";
import { createMemoryCache, defaultMemoryCache, type MemoryCacheOptions, type ResultsCache } from "./results-cache.ts";

export type CacheConfig = (
  | { readonly type: "IN-MEMORY"; readonly memory: MemoryCacheOptions }
  | { readonly type: "REDIS"; readonly redis: RedisCacheOptions }
  | { readonly type: "MEMCACHED"; readonly servers: readonly MemcachedCacheOptions[] }
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
      config = readMemcached(fields, problems);
      break;
    default:
      return fail([`type: expected IN-MEMORY, REDIS or MEMCACHED, not ${JSON.stringify(type)}`]);
  }
  fields.refuseOthers();
  whole.refuseOthers();
  return problems.length > 0 ? fail(problems) : ok(config);
}

/** Opens it; a Redis or memcached that is away is no failure. */
export async function openCache(
  config: CacheConfig,
  ports: { readonly observations: Observations; readonly connectTcp: ConnectTcp },
): Promise<ResultsCache | readonly ResultsCache[]> {
  switch (config.type) {
    case "IN-MEMORY":
      return createMemoryCache(config.memory);
    case "REDIS":
      return await createRedisCache(config.redis, ports);
    case "MEMCACHED":
      return config.servers.map((server) => createMemcachedCache(server, ports.connectTcp));
    default:
      return unreachable(config);
  }
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
  const place = placeOf(fields.text("addr"));
  if (place === undefined) problems.push("config.addr: expected host:port");
  for (const name of redisFieldsIgnored) fields.take(name);
  const expirationMs = fields.duration("expiration") || dayMs;
  const redis: RedisCacheOptions = {
    ...defaultRedisCache,
    host: place?.host ?? "",
    port: place?.port ?? 0,
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

/** Fields of Thanos whose values change nothing here: one connection a server carries all questions. */
const memcachedFieldsIgnored = [
  "max_idle_connections",
  "max_async_concurrency",
  "max_async_buffer_size",
  "max_get_multi_concurrency",
  "max_get_multi_batch_size",
  "dns_provider_update_interval",
];

const serversMax = 64;

function readMemcached(fields: FieldReader, problems: string[]): CacheConfig {
  for (const name of memcachedFieldsIgnored) fields.take(name);
  if (fields.switch("auto_discovery")) problems.push("config.auto_discovery: is not supported, name the addresses");
  const expirationMs = fields.duration("expiration") || dayMs;
  const itemBytesMax = fields.size("max_item_size") || defaultMemcachedCache.itemBytesMax;
  const addresses = fields.texts("addresses");
  if (addresses.length === 0) problems.push("config.addresses: expected a list of host:port");
  if (addresses.length > serversMax) problems.push(`config.addresses: at most ${serversMax} are taken`);
  const servers: MemcachedCacheOptions[] = [];
  for (const address of addresses) {
    // Of a name with several addresses any one is taken, each time it connects.
    const place = placeOf(address.replace(/^dns\+/, ""));
    if (place === undefined) problems.push(`config.addresses: expected host:port, not ${JSON.stringify(address)}`);
    else servers.push({ ...defaultMemcachedCache, ...place, expirationMs, itemBytesMax });
  }
  return {
    type: "MEMCACHED",
    servers,
    validityMs: expirationMs,
    timeoutMs: fields.duration("timeout") || timeoutMsUsual,
  };
}

function placeOf(address: string): { readonly host: string; readonly port: number } | undefined {
  const [, host = "", port = ""] = /^(\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(address) ?? [];
  if (host === "" || Number(port) > 65_535) return undefined;
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
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

  /** A list of texts; none where it is absent. */
  texts(name: string): readonly string[] {
    const value = this.take(name) ?? [];
    const isList = Array.isArray(value) && value.every((one) => typeof one === "string");
    return isList ? value : this.#refuse(name, "expected a list of texts", []);
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
