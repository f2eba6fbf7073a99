/** Ports for tests: a clock that moves when told, files and bucket in memory, a network inside the process, silent observations. */
import { FileError, type File, type FileSystem } from "./file-system.ts";
import {
  HttpError,
  RpcError,
  type CallOptions,
  type HttpAnswer,
  type HttpRequest,
  type HttpResponse,
  type HttpStreamRequest,
  type Listener,
  type Network,
  type RpcHandler,
} from "./network.ts";
import { joinBytes } from "./byte-parts.ts";
import type { Clock } from "./clock.ts";
import type { Observations } from "./observations.ts";
import type { Ports } from "./ports.ts";
import { seededRandom } from "./random.ts";
import { ThreadError, type Thread, type ThreadModule, type Threads } from "./threads.ts";

export { forgetfulFiles, type ForgetfulFileSystem } from "./forgetful-files.ts";
export { memoryBucket, type MemoryBucket } from "./memory-bucket.ts";

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
        const stop = clock.after(spanMs, resolve);
        const onAbort = () => {
          stop();
          reject(signal?.reason as Error);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
    after: (spanMs, act) => {
      const sleeper = { atMs: nowMs + spanMs, order: sequence++, wake: act };
      sleepers.push(sleeper);
      return () => {
        const at = sleepers.indexOf(sleeper);
        if (at >= 0) sleepers.splice(at, 1);
      };
    },
    deadline: (spanMs, parent) => {
      const controller = new AbortController();
      const reason = () => new DOMException(`no end within ${spanMs} ms`, "TimeoutError");
      clock.after(spanMs, () => controller.abort(reason()));
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

/** With a clock, files have the times of their last changes. A content that a test puts there itself counts as changed. */
export function memoryFiles(clock?: Pick<Clock, "wallMs">): MemoryFileSystem {
  const contents = new Map<string, Uint8Array>();
  const directories = new Set<string>(["/"]);
  const locks = new Set<string>();
  // An open file outlives its name: then it holds the content itself.
  const openFiles = new Set<{ path: string; namelessContent?: Uint8Array }>();
  let failIn = Infinity;
  let failCode: FileError["code"] = "EIO";
  const parentOf = (path: string) => path.slice(0, Math.max(1, path.lastIndexOf("/")));
  const mutate = (operation: string, path: string) => {
    if (--failIn <= 0) throw new FileError(failCode, operation, path);
  };
  const missing = (operation: string, path: string) => {
    for (let at = parentOf(path); at !== "/" && at !== ""; at = parentOf(at)) {
      if (contents.has(at)) return new FileError("ENOTDIR", operation, path);
    }
    return new FileError("ENOENT", operation, path);
  };
  const contentOf = (operation: string, path: string) => {
    const bytes = contents.get(path);
    if (bytes !== undefined) return bytes;
    throw directories.has(path) ? new FileError("EISDIR", operation, path) : missing(operation, path);
  };
  // Every change makes a new array, so that the array stands for the state of the file.
  const changes = new WeakMap<Uint8Array, { readonly version: string; readonly modifiedMs: number }>();
  let changeCount = 0;
  const changeOf = (content: Uint8Array) => {
    let change = changes.get(content);
    if (change === undefined) {
      change = { version: String(++changeCount), modifiedMs: clock?.wallMs() ?? 0 };
      changes.set(content, change);
    }
    return change;
  };
  const checkDirectory = (operation: string, path: string) => {
    if (directories.has(path)) return;
    throw contents.has(path) ? new FileError("ENOTDIR", operation, path) : missing(operation, path);
  };
  const checkPlaceForFile = (operation: string, path: string) => {
    if (directories.has(path)) throw new FileError("EISDIR", operation, path);
    if (!directories.has(parentOf(path))) throw missing(operation, path);
  };
  const takeName = (path: string) => {
    const content = contents.get(path);
    if (content === undefined) return;
    for (const file of openFiles) if (file.path === path) file.namelessContent ??= content;
    contents.delete(path);
  };
  const giveName = (from: string, to: string, content: Uint8Array) => {
    takeName(to);
    for (const file of openFiles) if (file.path === from && file.namelessContent === undefined) file.path = to;
    contents.delete(from);
    contents.set(to, content);
  };
  const open = (path: string): File => {
    const file: { path: string; namelessContent?: Uint8Array } = { path };
    openFiles.add(file);
    const use = (operation: string) => {
      if (!openFiles.has(file)) throw new Error(`${operation} on a closed file: ${path}`);
      return file.namelessContent ?? contentOf(operation, file.path);
    };
    const store = (content: Uint8Array) => {
      changeOf(content);
      if (file.namelessContent === undefined) contents.set(file.path, content);
      else file.namelessContent = content;
    };
    return {
      append: async (bytes) => {
        const old = use("append");
        mutate("append", file.path);
        const grown = new Uint8Array(old.length + bytes.length);
        grown.set(old);
        grown.set(bytes, old.length);
        store(grown);
      },
      read: async (offset, length) => use("read").slice(offset, offset + length),
      datasync: async () => {
        use("datasync");
        mutate("datasync", file.path);
      },
      truncate: async (sizeBytes) => {
        const old = use("truncate");
        mutate("truncate", file.path);
        const cut = new Uint8Array(sizeBytes);
        cut.set(old.subarray(0, sizeBytes));
        store(cut);
      },
      size: async () => use("size").length,
      status: async () => {
        const content = use("status");
        return { sizeBytes: content.length, ...changeOf(content) };
      },
      close: async () => void openFiles.delete(file),
    };
  };
  const list = async (directory: string) => {
    checkDirectory("list", directory);
    const prefix = directory === "/" ? "/" : `${directory}/`;
    const names = new Set<string>();
    for (const path of [...contents.keys(), ...directories]) {
      if (path.startsWith(prefix) && path !== directory) names.add(path.slice(prefix.length).split("/")[0] as string);
    }
    return [...names].sort();
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
      if (!mode.startsWith("read") && !contents.has(path)) {
        checkPlaceForFile("open", path);
        mutate("open", path);
        contents.set(path, new Uint8Array(0));
      }
      contentOf("open", path);
      return open(path);
    },
    readFile: async (path) => contentOf("readFile", path).slice(),
    writeFileAtomic: async (path, bytes) => {
      checkPlaceForFile("writeFileAtomic", path);
      mutate("writeFileAtomic", path);
      takeName(path);
      const content = bytes.slice();
      changeOf(content);
      contents.set(path, content);
    },
    rename: async (from, to) => {
      if (!directories.has(from)) contentOf("rename", from);
      if (!directories.has(parentOf(to))) throw missing("rename", from);
      if (directories.has(to) && !directories.has(from)) throw new FileError("EISDIR", "rename", from);
      if (from !== to && directories.has(to) && (await list(to)).length > 0) {
        throw new FileError("ENOTEMPTY", "rename", from);
      }
      mutate("rename", from);
      if (directories.has(from)) {
        for (const path of [...directories]) {
          if (path === from || path.startsWith(`${from}/`)) {
            directories.delete(path);
            directories.add(to + path.slice(from.length));
          }
        }
        for (const [path, bytes] of [...contents]) {
          if (path.startsWith(`${from}/`)) giveName(path, to + path.slice(from.length), bytes);
        }
        return;
      }
      if (from !== to) giveName(from, to, contentOf("rename", from));
    },
    link: async (from, to) => {
      const content = contentOf("link", from);
      if (!directories.has(parentOf(to))) throw missing("link", from);
      if (contents.has(to) || directories.has(to)) throw new FileError("EEXIST", "link", from);
      mutate("link", from);
      contents.set(to, content);
    },
    unlink: async (path) => {
      contentOf("unlink", path);
      mutate("unlink", path);
      takeName(path);
    },
    list,
    entries: async (directory) => {
      const names = await list(directory);
      const prefix = directory === "/" ? "/" : `${directory}/`;
      return names.map((name) => ({ name, kind: directories.has(prefix + name) ? "directory" : "file" }));
    },
    makeDirectory: async (path) => {
      if (contents.has(path)) throw new FileError("EEXIST", "makeDirectory", path);
      const obstacle = missing("makeDirectory", path);
      if (obstacle.code === "ENOTDIR") throw obstacle;
      mutate("makeDirectory", path);
      for (let at = path; at !== "/" && at !== ""; at = parentOf(at)) directories.add(at);
    },
    removeDirectory: async (path) => {
      checkDirectory("removeDirectory", path);
      for (const other of [...contents.keys(), ...directories]) {
        if (other.startsWith(`${path}/`)) throw new FileError("ENOTEMPTY", "removeDirectory", path);
      }
      mutate("removeDirectory", path);
      directories.delete(path);
    },
    syncDirectory: async (path) => {
      checkDirectory("syncDirectory", path);
      mutate("syncDirectory", path);
    },
    exists: async (path) => contents.has(path) || directories.has(path),
    status: async (path) => {
      const content = contentOf("status", path);
      return { sizeBytes: content.length, ...changeOf(content) };
    },
    freeBytes: async () => 1 << 30,
    lock: async (path) => {
      if (locks.has(path)) throw new FileError("EEXIST", "lock", path);
      checkPlaceForFile("lock", path);
      if (!contents.has(path)) {
        mutate("lock", path);
        contents.set(path, new Uint8Array(0));
      }
      locks.add(path);
      return { release: async () => void locks.delete(path) };
    },
  };
}

/** A network without sockets: peers are found by address in one process. `unplug` makes an address unreachable. */
export interface MemoryNetwork extends Network {
  unplug(address: string): void;
  plug(address: string): void;
}

/** With a clock, calls time out on it and listeners close with a grace; without one, neither happens. */
export function memoryNetwork(clock?: Clock): MemoryNetwork {
  interface Server {
    readonly rpc?: ReadonlyMap<string, RpcHandler>;
    readonly http?: (request: HttpRequest) => Promise<HttpResponse>;
    readonly cut: AbortController;
    readonly running: Set<Promise<unknown>>;
  }
  const servers = new Map<string, Server>();
  const unplugged = new Set<string>();
  let lastPort = 40_000;

  const listen = (asked: string, server: Server): Listener => {
    const address = asked.endsWith(":0") ? `${asked.slice(0, -1)}${++lastPort}` : asked;
    if (servers.has(address)) throw new Error(`${address}: address already in use`);
    servers.set(address, server);
    return {
      address,
      close: async (graceMs) => {
        if (servers.get(address) === server) servers.delete(address);
        if (server.running.size > 0 && graceMs > 0 && clock !== undefined) {
          await Promise.race([Promise.allSettled(server.running), clock.sleep(graceMs)]);
        }
        server.cut.abort();
      },
    };
  };
  const find = (address: string) => (unplugged.has(address) ? undefined : servers.get(address));

  const asRpcError = (error: unknown) =>
    error instanceof RpcError
      ? error
      : new RpcError("INTERNAL", error instanceof Error ? error.message : String(error));
  const aborted = (signal: AbortSignal) =>
    (signal.reason as { name?: string } | undefined)?.name === "TimeoutError"
      ? new RpcError("DEADLINE_EXCEEDED", "deadline exceeded")
      : new RpcError("CANCELLED", "canceled");
  const lost = (address: string) => new RpcError("UNAVAILABLE", `connection to ${address} lost`);
  const checkSize = (message: Uint8Array, bytesMax: number) => {
    if (message.length > bytesMax) {
      throw new RpcError("RESOURCE_EXHAUSTED", `message of ${message.length} bytes, limit ${bytesMax}`);
    }
    return message.slice();
  };

  /** One call: the handler, the signal that it sees, and a way to wait that ends when the call does. */
  const startCall = (address: string, method: string, kind: RpcHandler["kind"], options: CallOptions) => {
    const { timeoutMs } = options;
    if (options.signal.aborted) throw aborted(options.signal);
    if (timeoutMs <= 0) throw new RpcError("DEADLINE_EXCEEDED", "deadline exceeded");
    const server = find(address);
    if (server?.rpc === undefined) throw new RpcError("UNAVAILABLE", `connect to ${address}: refused`);
    const handler = server.rpc.get(method);
    if (handler === undefined || handler.kind !== kind) throw new RpcError("UNIMPLEMENTED", `unknown method ${method}`);
    const left = new AbortController();
    const ending =
      clock === undefined || timeoutMs === Infinity ? options.signal : clock.deadline(timeoutMs, options.signal);
    // No `AbortSignal.any`: of what has no end, as a server has none, it would be kept for as long.
    const sources = [ending, server.cut.signal];
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => {});
    const cut = () => {
      left.abort(sources.find((source) => source.aborted)?.reason);
      ended.reject(ending.aborted ? aborted(ending) : lost(address));
    };
    if (sources.some((source) => source.aborted)) cut();
    for (const source of sources) source.addEventListener("abort", cut, { once: true });
    const done = Promise.withResolvers<void>();
    server.running.add(done.promise);
    return {
      handler,
      context: { signal: left.signal, peer: "memory", metadata: new Map<string, string>() },
      orEnd: <T>(promise: Promise<T>) => Promise.race([promise, ended.promise]),
      end: () => {
        server.running.delete(done.promise);
        done.resolve();
        for (const source of sources) source.removeEventListener("abort", cut);
        left.abort();
      },
    };
  };

  return {
    unplug: (address) => void unplugged.add(address),
    plug: (address) => void unplugged.delete(address),
    rpcClient: (address) => ({
      call: async (method, request, options) => {
        const { handler, context, orEnd, end } = startCall(address, method, "unary", options);
        try {
          const unary = handler as Extract<RpcHandler, { kind: "unary" }>;
          const answer = await orEnd(unary.handle(request.slice(), context));
          if (unplugged.has(address)) throw lost(address);
          return checkSize(answer, options.messageBytesMax);
        } catch (error) {
          throw asRpcError(error);
        } finally {
          end();
        }
      },
      stream: (method, request, options) => ({
        async *[Symbol.asyncIterator]() {
          const { handler, context, orEnd, end } = startCall(address, method, "stream", options);
          const streaming = handler as Extract<RpcHandler, { kind: "stream" }>;
          const messages = streaming.handle(request.slice(), context)[Symbol.asyncIterator]();
          try {
            for (;;) {
              const step = await orEnd(messages.next());
              if (unplugged.has(address)) throw lost(address);
              if (step.done === true) return;
              if (step.value.length === 0) continue;
              yield step.value.map((message) => checkSize(message, options.messageBytesMax));
            }
          } catch (error) {
            throw asRpcError(error);
          } finally {
            end();
            // Not waited for: a handler that ignores its signal must not hold the caller.
            messages.return?.().catch(() => {});
          }
        },
      }),
      close: async () => {},
    }),
    serveRpc: async (address, handlers) =>
      listen(address, { rpc: handlers, cut: new AbortController(), running: new Set() }),
    serveHttp: async (address, handle) =>
      listen(address, {
        http: (request) => handle({ ...request, method: request.method === "HEAD" ? "GET" : request.method }),
        cut: new AbortController(),
        running: new Set(),
      }),
    serveHttpStreams: async (address, handle) =>
      listen(address, {
        http: (request) => handle({ ...request, body: inParts(request.body) }),
        cut: new AbortController(),
        running: new Set(),
      }),
    fetchHttp: async (url, options) => {
      const target = URL.parse(url);
      if (target === null || (target.protocol !== "http:" && target.protocol !== "https:")) {
        throw new HttpError("protocol", `${url}: expected an http or https URL`);
      }
      const { host, pathname, search } = target;
      const server = find(host);
      if (server?.http === undefined) throw new HttpError("unreachable", `connect to ${host}: refused`);
      const ended = Promise.withResolvers<never>();
      ended.promise.catch(() => {});
      const end = () => {
        const isLate = (options.signal.reason as { name?: string } | undefined)?.name === "TimeoutError";
        ended.reject(
          new HttpError(isLate ? "timeout" : "canceled", `${url}: ${isLate ? "no answer in time" : "canceled"}`),
        );
      };
      const cut = () => ended.reject(new HttpError("unreachable", `${url}: connection lost`));
      if (options.signal.aborted) end();
      options.signal.addEventListener("abort", end, { once: true });
      server.cut.signal.addEventListener("abort", cut, { once: true });
      const body = options.body ?? "";
      const answer = async (): Promise<HttpAnswer> => {
        options.signal.throwIfAborted();
        const response = await (server.http as NonNullable<Server["http"]>)({
          method: options.method ?? "GET",
          path: pathname,
          query: search.slice(1),
          // As every HTTP/1.1 client sends it: servers check it.
          headers: new Map([
            ["host", host],
            ...Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const),
          ]),
          body: typeof body === "string" ? new TextEncoder().encode(body) : body,
          signal: AbortSignal.any([options.signal, server.cut.signal]),
        }).catch((error: unknown) => {
          if (!(error instanceof HttpError && error.kind === "canceled")) return internalError;
          throw new HttpError("unreachable", `${url}: connection lost`);
        });
        const bytes = options.method === "HEAD" ? new Uint8Array(0) : await wholeBody(response.body);
        if (bytes.length > options.bodyBytesMax) {
          throw new HttpError("too-large", `${url}: body of more than ${options.bodyBytesMax} bytes`);
        }
        if (bytes.length > 0 && options.admitBytes?.(bytes.length) === false) {
          throw new HttpError("too-large", `${url}: no room for a body of ${bytes.length} bytes`);
        }
        const headers = new Map(Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]));
        const whole = options.bodyRoom === undefined ? bytes : joinBytes([bytes], options.bodyRoom);
        return { status: response.status, headers, body: whole };
      };
      const running = answer();
      server.running.add(running);
      try {
        return await Promise.race([ended.promise, running]);
      } finally {
        running.catch(() => {}).finally(() => server.running.delete(running));
        options.signal.removeEventListener("abort", end);
        server.cut.signal.removeEventListener("abort", cut);
      }
    },
  };
}

/** As a body arrives over a socket: in parts that do not care what is in them. */
async function* inParts(body: Uint8Array): HttpStreamRequest["body"] {
  for (let at = 0; at < body.length; at += 65_536) yield body.slice(at, at + 65_536);
}

const internalError: HttpResponse = {
  status: 500,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ status: "error", errorType: "internal", error: "internal error" }),
};

/** The whole body of an HTTP response, whatever its form. */
export async function wholeBody(body: HttpResponse["body"]): Promise<Uint8Array> {
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part.slice());
  return joinBytes(parts);
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
  const clock = manualClock(options.startMs);
  return {
    clock,
    random: seededRandom(options.seed ?? 1),
    files: memoryFiles(clock),
    network: memoryNetwork(clock),
    observations: silentObservations(),
  };
}

/** A thread that `crash` ends as if by a fault of its own. */
export interface TestThread extends Thread {
  crash(): void;
}

export interface TestThreads extends Threads {
  start(moduleUrl: string, data: unknown): TestThread;
  /** All that were started, in their order. */
  readonly started: readonly TestThread[];
}

/** Threads that are none: calls are answered one by one between other work of this thread, always in the same order. */
export function sameThreads(countUseful: number): TestThreads {
  const started: TestThread[] = [];
  return {
    countUseful,
    started,
    start(moduleUrl, data) {
      let ended = false;
      const stop = Promise.withResolvers<never>();
      stop.promise.catch(() => {});
      const end = () => {
        ended = true;
        stop.reject(new ThreadError("ended", `thread of ${moduleUrl} has ended`));
      };
      const loaded = (import(moduleUrl) as Promise<ThreadModule>).then(({ onThread }) => onThread(data));
      loaded.catch(end);
      let last: Promise<unknown> = loaded;
      const answer = async (message: unknown) => {
        const work = await loaded;
        if (ended) return await stop.promise;
        try {
          return await work(message);
        } catch (error) {
          throw new ThreadError("failed", error instanceof Error ? error.message : String(error));
        }
      };
      const thread: TestThread = {
        call(message) {
          const answered = last.then(
            () => answer(message),
            () => answer(message),
          );
          answered.catch(() => {});
          last = answered;
          return Promise.race([stop.promise, answered]);
        },
        get ended() {
          return ended;
        },
        crash: end,
        close: async () => end(),
      };
      started.push(thread);
      return thread;
    },
  };
}
