/** Ports for tests: a clock that moves when told, files in memory, a network inside the process, silent observations. */
import { FileError, type File, type FileSystem } from "./file-system.ts";
import { HttpError, RpcError, type HttpRequest, type Network, type RpcHandler, type HttpResponse } from "./network.ts";
import type { Clock } from "./clock.ts";
import type { Observations } from "./observations.ts";
import type { Ports } from "./ports.ts";
import { seededRandom } from "./random.ts";

export interface ManualClock extends Clock {
  /** Moves time on, waking sleepers in the order of their times; resolves when all they started has settled. */
  advance(spanMs: number): Promise<void>;
}

export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  let nowMs = startMs;
  let sequence = 0;
  const sleepers: { atMs: number; order: number; wake: () => void }[] = [];
  const settle = async () => {
    for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const clock: ManualClock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs - startMs,
    sleep: async (spanMs, signal) => {
      signal?.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const sleeper = { atMs: nowMs + spanMs, order: sequence++, wake: resolve };
        sleepers.push(sleeper);
        signal?.addEventListener(
          "abort",
          () => {
            const at = sleepers.indexOf(sleeper);
            if (at >= 0) sleepers.splice(at, 1);
            reject(signal.reason as Error);
          },
          { once: true },
        );
      });
    },
    deadline: (spanMs, parent) => {
      const controller = new AbortController();
      const reason = () => new DOMException(`no end within ${spanMs} ms`, "TimeoutError");
      sleepers.push({ atMs: nowMs + spanMs, order: sequence++, wake: () => controller.abort(reason()) });
      return parent === undefined ? controller.signal : AbortSignal.any([controller.signal, parent]);
    },
    yield: async () => {
      await Promise.resolve();
    },
    advance: async (spanMs) => {
      const untilMs = nowMs + spanMs;
      await settle();
      for (;;) {
        sleepers.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
        const next = sleepers[0];
        if (next === undefined || next.atMs > untilMs) break;
        sleepers.shift();
        nowMs = Math.max(nowMs, next.atMs);
        next.wake();
        await settle();
      }
      nowMs = untilMs;
    },
  };
  return clock;
}

export interface MemoryFileSystem extends FileSystem {
  /** Every file as it stands, by path: to be looked at, cut short, or changed by a test. */
  readonly contents: Map<string, Uint8Array>;
  /** Makes the nth-next mutating operation (1 = the next) throw, and all after it until `heal`. */
  failFrom(operations: number, code: FileError["code"]): void;
  heal(): void;
}

export function memoryFiles(): MemoryFileSystem {
  const contents = new Map<string, Uint8Array>();
  const directories = new Set<string>(["/"]);
  let failIn = Infinity;
  let failCode: FileError["code"] = "EIO";
  const parentOf = (path: string) => path.slice(0, Math.max(1, path.lastIndexOf("/")));
  const mutate = (operation: string, path: string) => {
    if (--failIn <= 0) throw new FileError(failCode, operation, path);
  };
  const contentOf = (operation: string, path: string) => {
    const bytes = contents.get(path);
    if (bytes === undefined) throw new FileError("ENOENT", operation, path);
    return bytes;
  };
  const open = (path: string): File => {
    let live = true;
    const use = (operation: string) => {
      if (!live) throw new Error(`${operation} on a closed file: ${path}`);
      return contentOf(operation, path);
    };
    return {
      append: async (bytes) => {
        const old = use("append");
        mutate("append", path);
        const grown = new Uint8Array(old.length + bytes.length);
        grown.set(old);
        grown.set(bytes, old.length);
        contents.set(path, grown);
      },
      read: async (offset, length) => use("read").slice(offset, offset + length),
      datasync: async () => {
        use("datasync");
        mutate("datasync", path);
      },
      truncate: async (sizeBytes) => {
        const old = use("truncate");
        mutate("truncate", path);
        const cut = new Uint8Array(sizeBytes);
        cut.set(old.subarray(0, sizeBytes));
        contents.set(path, cut);
      },
      size: async () => use("size").length,
      close: async () => {
        live = false;
      },
    };
  };
  return {
    contents,
    failFrom: (operations, code) => {
      failIn = operations;
      failCode = code;
    },
    heal: () => {
      failIn = Infinity;
    },
    open: async (path, mode) => {
      if (mode === "create-new" && contents.has(path)) throw new FileError("EEXIST", "open", path);
      if (mode !== "read" && !contents.has(path)) {
        if (!directories.has(parentOf(path))) throw new FileError("ENOENT", "open", path);
        mutate("open", path);
        contents.set(path, new Uint8Array(0));
      }
      contentOf("open", path);
      return open(path);
    },
    readFile: async (path) => contentOf("readFile", path).slice(),
    writeFileAtomic: async (path, bytes) => {
      if (!directories.has(parentOf(path))) throw new FileError("ENOENT", "writeFileAtomic", path);
      mutate("writeFileAtomic", path);
      contents.set(path, bytes.slice());
    },
    rename: async (from, to) => {
      mutate("rename", from);
      if (directories.has(from)) {
        for (const path of [...directories]) {
          if (path === from || path.startsWith(`${from}/`)) {
            directories.delete(path);
            directories.add(to + path.slice(from.length));
          }
        }
        for (const [path, bytes] of [...contents]) {
          if (path.startsWith(`${from}/`)) {
            contents.delete(path);
            contents.set(to + path.slice(from.length), bytes);
          }
        }
        return;
      }
      const bytes = contentOf("rename", from);
      contents.delete(from);
      contents.set(to, bytes);
    },
    unlink: async (path) => {
      contentOf("unlink", path);
      mutate("unlink", path);
      contents.delete(path);
    },
    list: async (directory) => {
      if (!directories.has(directory)) throw new FileError("ENOENT", "list", directory);
      const prefix = directory === "/" ? "/" : `${directory}/`;
      const names = new Set<string>();
      for (const path of [...contents.keys(), ...directories]) {
        if (path.startsWith(prefix) && path !== directory) names.add(path.slice(prefix.length).split("/")[0] as string);
      }
      return [...names].sort();
    },
    makeDirectory: async (path) => {
      mutate("makeDirectory", path);
      for (let at = path; at !== "/" && at !== ""; at = parentOf(at)) directories.add(at);
    },
    removeDirectory: async (path) => {
      if (!directories.has(path)) throw new FileError("ENOENT", "removeDirectory", path);
      for (const other of [...contents.keys(), ...directories]) {
        if (other.startsWith(`${path}/`)) throw new FileError("ENOTEMPTY", "removeDirectory", path);
      }
      mutate("removeDirectory", path);
      directories.delete(path);
    },
    syncDirectory: async (path) => {
      mutate("syncDirectory", path);
    },
    exists: async (path) => contents.has(path) || directories.has(path),
    freeBytes: async () => 1 << 30,
  };
}

/** A network without sockets: peers are found by address in one process. `unplug` makes an address unreachable. */
export interface MemoryNetwork extends Network {
  unplug(address: string): void;
  plug(address: string): void;
}

export function memoryNetwork(): MemoryNetwork {
  const rpcServers = new Map<string, ReadonlyMap<string, RpcHandler>>();
  const httpServers = new Map<string, (request: HttpRequest) => Promise<HttpResponse>>();
  const unplugged = new Set<string>();
  const asRpcError = (error: unknown) =>
    error instanceof RpcError
      ? error
      : new RpcError("INTERNAL", error instanceof Error ? error.message : String(error));
  const handlerOf = (address: string, method: string, kind: RpcHandler["kind"]) => {
    const handlers = unplugged.has(address) ? undefined : rpcServers.get(address);
    if (handlers === undefined) throw new RpcError("UNAVAILABLE", `connect to ${address}: refused`);
    const handler = handlers.get(method);
    if (handler === undefined || handler.kind !== kind) throw new RpcError("UNIMPLEMENTED", `unknown method ${method}`);
    return handler;
  };
  const aborted = (signal: AbortSignal) =>
    (signal.reason as { name?: string } | undefined)?.name === "TimeoutError"
      ? new RpcError("DEADLINE_EXCEEDED", "deadline exceeded")
      : new RpcError("CANCELLED", "canceled");
  const checkSize = (message: Uint8Array, bytesMax: number) => {
    if (message.length > bytesMax) {
      throw new RpcError("RESOURCE_EXHAUSTED", `message of ${message.length} bytes, limit ${bytesMax}`);
    }
    return message.slice();
  };
  return {
    unplug: (address) => void unplugged.add(address),
    plug: (address) => void unplugged.delete(address),
    rpcClient: (address) => ({
      call: async (method, request, options) => {
        const handler = handlerOf(address, method, "unary") as Extract<RpcHandler, { kind: "unary" }>;
        if (options.signal.aborted) throw aborted(options.signal);
        try {
          const context = { signal: options.signal, peer: "memory", metadata: new Map<string, string>() };
          const answer = await Promise.race([
            handler.handle(request.slice(), context),
            new Promise<never>((_, reject) => {
              options.signal.addEventListener("abort", () => reject(aborted(options.signal)), { once: true });
            }),
          ]);
          return checkSize(answer, options.messageBytesMax);
        } catch (error) {
          throw asRpcError(error);
        }
      },
      stream: (method, request, options) => ({
        async *[Symbol.asyncIterator]() {
          const handler = handlerOf(address, method, "stream") as Extract<RpcHandler, { kind: "stream" }>;
          if (options.signal.aborted) throw aborted(options.signal);
          const local = new AbortController();
          const signal = AbortSignal.any([local.signal, options.signal]);
          const context = { signal, peer: "memory", metadata: new Map<string, string>() };
          const messages = handler.handle(request.slice(), context)[Symbol.asyncIterator]();
          try {
            for (;;) {
              const step = await Promise.race([
                messages.next(),
                new Promise<never>((_, reject) => {
                  options.signal.addEventListener("abort", () => reject(aborted(options.signal)), { once: true });
                }),
              ]);
              if (step.done === true) return;
              if (unplugged.has(address)) throw new RpcError("UNAVAILABLE", `connection to ${address} lost`);
              yield step.value.map((message) => checkSize(message, options.messageBytesMax));
            }
          } catch (error) {
            throw asRpcError(error);
          } finally {
            local.abort();
          }
        },
      }),
      close: async () => {},
    }),
    serveRpc: async (address, handlers) => {
      if (rpcServers.has(address)) throw new Error(`${address}: address already in use`);
      rpcServers.set(address, handlers);
      return { address, close: async () => void rpcServers.delete(address) };
    },
    serveHttp: async (address, handle) => {
      if (httpServers.has(address)) throw new Error(`${address}: address already in use`);
      httpServers.set(address, handle);
      return { address, close: async () => void httpServers.delete(address) };
    },
    fetchHttp: async (url, options) => {
      const { host, pathname, search } = new URL(url);
      const handle = unplugged.has(host) ? undefined : httpServers.get(host);
      if (handle === undefined) throw new HttpError("unreachable", `connect to ${host}: refused`);
      const body = options.body ?? "";
      const response = await handle({
        method: options.method ?? "GET",
        path: pathname,
        query: search.slice(1),
        headers: new Map([
          ["host", host],
          ...Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const),
        ]),
        body: typeof body === "string" ? new TextEncoder().encode(body) : body,
        signal: options.signal,
      });
      const bytes = await wholeBody(response.body);
      if (bytes.length > options.bodyBytesMax) {
        throw new HttpError("too-large", `${url}: more than ${options.bodyBytesMax} bytes`);
      }
      const headers = new Map(Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]));
      return { status: response.status, headers, body: bytes };
    },
  };
}

/** The whole body of an HTTP response, whatever its form. */
export async function wholeBody(body: HttpResponse["body"]): Promise<Uint8Array> {
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part.slice());
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function silentObservations(): Observations {
  return {
    counter: () => ({ add: () => {} }),
    gauge: () => ({ set: () => {} }),
    histogram: () => ({ observe: () => {} }),
    log: () => {},
  };
}

export interface TestPorts extends Ports {
  readonly clock: ManualClock;
  readonly files: MemoryFileSystem;
  readonly network: MemoryNetwork;
}

export function testPorts(options: { readonly seed?: number; readonly startMs?: number } = {}): TestPorts {
  return {
    clock: manualClock(options.startMs),
    random: seededRandom(options.seed ?? 1),
    files: memoryFiles(),
    network: memoryNetwork(),
    observations: silentObservations(),
  };
}
