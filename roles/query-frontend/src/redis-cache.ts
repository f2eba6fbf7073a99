/**
 * Answers kept in a Redis, which several frontends may share. The client brings its own sockets, and is loaded when this is
 * called. It connects by itself, and again after a loss; until then it fails at once.
 */
import type { Observations } from "@pleiad/ports";
import type { ResultsCache } from "./results-cache.ts";

export interface RedisCacheOptions {
  readonly host: string;
  readonly port: number;
  readonly username: string; // "" = none
  readonly password: string; // "" = none
  readonly database: number;
  readonly tls: boolean; // with the certificates that the process trusts
  readonly connectTimeoutMs: number;
  readonly expirationMs: number;
  readonly itemBytesMax: number; // one that is larger is not sent
}

export const defaultRedisCache: Omit<RedisCacheOptions, "host" | "port"> = {
  username: "",
  password: "",
  database: 0,
  tls: false,
  connectTimeoutMs: 5_000,
  expirationMs: 86_400_000,
  itemBytesMax: 8 * 1024 * 1024,
};

// What waits for an answer is held in memory.
const commandsMax = 256;
const reconnectPauseMsMax = 2_000;

export async function createRedisCache(
  options: RedisCacheOptions,
  { observations }: { readonly observations: Observations },
): Promise<ResultsCache> {
  const { host, port, username, password, connectTimeoutMs } = options;
  const { createClient, RESP_TYPES } = await import("@redis/client");
  const reconnectStrategy = (tries: number) => Math.min(reconnectPauseMsMax, 50 * 2 ** Math.min(tries, 10));
  const client = createClient({
    socket: { host, port, connectTimeout: connectTimeoutMs, reconnectStrategy, ...(options.tls ? { tls: true } : {}) },
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    database: options.database,
    disableOfflineQueue: true,
    commandsQueueMaxLength: commandsMax,
  }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  let lastReason = "";
  client.on("error", (error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    // One line for a loss, not one for each try.
    if (reason !== lastReason) observations.log("warn", "the Redis of the cache is lost", { host, port, reason });
    lastReason = reason;
  });
  client.on("ready", () => (lastReason = ""));
  // Ends when the client is closed; until then it tries on.
  void client.connect().catch(() => {});
  return {
    async read(key, signal) {
      const value = await client.withAbortSignal(signal).get(key);
      return value === null ? undefined : new Uint8Array(value);
    },
    async write(key, value, signal) {
      if (value.length > options.itemBytesMax) return;
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
      const expiration = { type: "PX", value: options.expirationMs } as const;
      await client.withAbortSignal(signal).set(key, bytes, { expiration });
    },
    async close() {
      client.destroy();
    },
  };
}
