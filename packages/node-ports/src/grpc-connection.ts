/** The connection of an RPC client: made when needed, kept alive while in use, made again after a loss. */
import { connect, constants, type ClientHttp2Session } from "node:http2";
import { connect as connectSocket } from "node:net";
import { RpcError } from "@pleiad/ports";
import { parseAddress, reasonOf } from "./address.ts";
import type { GrpcLimits, GrpcPorts } from "./grpc-limits.ts";

/** One live HTTP/2 session and what its calls must tell it. */
export interface GrpcSession {
  readonly http2: ClientHttp2Session;
  /** A call begins: the session keeps the process alive and itself checked until `callEnded`. */
  callStarted(): void;
  callEnded(): void;
  /** Something came from the peer, so that it need not be pinged. */
  received(): void;
  /** Why the session ended; undefined while it lives. */
  lossReason(): string | undefined;
}

export interface GrpcConnection {
  /**
   * The live session, after connecting if there is none. Rejects with UNAVAILABLE when connecting fails, and at once
   * during the pause after a failure.
   */
  session(): Promise<GrpcSession>;
  close(): Promise<void>;
}

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting"; readonly attempt: Promise<GrpcSession> }
  | { readonly kind: "live"; readonly session: GrpcSession }
  | { readonly kind: "pausing"; readonly untilMs: number; readonly reason: string }
  | { readonly kind: "closed" };

const pauseGrowth = 1.6;
const pauseJitter = 0.2;

export function createGrpcConnection(address: string, ports: GrpcPorts, limits: GrpcLimits): GrpcConnection {
  const { clock } = ports;
  const random = ports.random.fork(`grpc ${address}`);
  let state: State = { kind: "idle" };
  let failedAttempts = 0;
  let keepaliveMs = limits.keepaliveMs;
  const open = new Set<ClientHttp2Session>();

  const unavailable = (reason: string) => new RpcError("UNAVAILABLE", `connect to ${address}: ${reason}`);

  const pauseMs = () => {
    const grownMs = limits.reconnectFirstMs * pauseGrowth ** Math.min(failedAttempts - 1, 50);
    return Math.min(grownMs, limits.reconnectMaxMs) * (1 + pauseJitter * (2 * random.float() - 1));
  };

  const attempt = () =>
    new Promise<GrpcSession>((resolve, reject) => {
      const { host, port } = parseAddress(address);
      const http2 = connect(`http://${address}`, {
        createConnection: () =>
          connectSocket({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 }),
        maxSessionMemory: limits.sessionMemoryMb,
        settings: { initialWindowSize: limits.streamWindowBytes, enablePush: false },
      });
      open.add(http2);
      let lost: string | undefined;
      const lose = (reason: string) => {
        lost ??= reason; // before the streams close, for their calls to name it
        http2.destroy();
      };
      const stopTimer = clock.after(limits.connectTimeoutMs, () => {
        lose(`no answer within ${limits.connectTimeoutMs} ms`);
      });
      const session = liveSession(http2, ports, limits, {
        keepaliveMs: () => keepaliveMs,
        lossReason: () => lost,
        lose,
      });
      http2.on("error", (error) => {
        lost ??= reasonOf(error);
      });
      http2.on("goaway", (code) => {
        // The peer finds the pings too many; Go servers with their default policy do.
        if (code === constants.NGHTTP2_ENHANCE_YOUR_CALM) keepaliveMs *= 2;
        lost ??= `peer is going away (code ${code})`;
        if (state.kind === "live" && state.session === session) state = { kind: "idle" };
      });
      http2.once("close", () => {
        open.delete(http2);
        stopTimer();
        lost ??= "closed by the peer";
        if (state.kind === "live" && state.session === session) state = { kind: "idle" };
        reject(new Error(lost)); // without effect once resolved
      });
      // A peer is known to speak HTTP/2 only by its settings; the connection itself says little.
      http2.once("remoteSettings", () => {
        stopTimer();
        http2.setLocalWindowSize(limits.sessionWindowBytes);
        http2.unref();
        resolve(session);
      });
    });

  const startAttempt = async (): Promise<GrpcSession> => {
    try {
      const session = await attempt();
      if (state.kind === "closed") throw new Error("client is closed");
      failedAttempts = 0;
      // It may have gone in the meantime; its first call finds out.
      state = session.lossReason() === undefined ? { kind: "live", session } : { kind: "idle" };
      return session;
    } catch (error) {
      const reason = reasonOf(error);
      failedAttempts++;
      if (state.kind !== "closed") state = { kind: "pausing", untilMs: clock.monotonicMs() + pauseMs(), reason };
      throw unavailable(reason);
    }
  };

  return {
    session: () => {
      if (state.kind === "live") return Promise.resolve(state.session);
      if (state.kind === "connecting") return state.attempt;
      if (state.kind === "closed") return Promise.reject(new RpcError("CANCELLED", "client is closed"));
      if (state.kind === "pausing") {
        const leftMs = state.untilMs - clock.monotonicMs();
        if (leftMs > 0) {
          return Promise.reject(unavailable(`${state.reason} (next attempt in ${Math.ceil(leftMs)} ms)`));
        }
      }
      const attempt = startAttempt();
      state = { kind: "connecting", attempt };
      return attempt;
    },
    close: async () => {
      state = { kind: "closed" };
      await Promise.all(
        [...open].map(
          (http2) =>
            new Promise<void>((resolve) => {
              http2.once("close", () => resolve());
              http2.destroy();
            }),
        ),
      );
    },
  };
}

/** Pings the peer while calls wait on a silent connection, and ends the connection when a ping is not answered. */
function liveSession(
  http2: ClientHttp2Session,
  { clock }: GrpcPorts,
  limits: GrpcLimits,
  of: {
    readonly keepaliveMs: () => number;
    readonly lossReason: () => string | undefined;
    readonly lose: (reason: string) => void;
  },
): GrpcSession {
  let activeCalls = 0;
  let receivedMs = clock.monotonicMs();
  let pinging = false;
  let stopTimer: (() => void) | undefined;

  const ping = () => {
    pinging = true;
    const stop = clock.after(limits.keepaliveTimeoutMs, () => {
      of.lose(`no answer to a ping within ${limits.keepaliveTimeoutMs} ms`);
    });
    http2.ping((error) => {
      stop();
      pinging = false;
      if (error !== null) return;
      receivedMs = clock.monotonicMs();
      watch();
    });
  };

  const watch = () => {
    stopTimer?.();
    stopTimer = undefined;
    if (activeCalls === 0 || pinging || http2.destroyed) return;
    const leftMs = receivedMs + of.keepaliveMs() - clock.monotonicMs();
    // After a long idle time the first call asks at once: its deadline may be shorter than the interval.
    if (leftMs <= 0) ping();
    else stopTimer = clock.after(leftMs, watch);
  };

  http2.once("close", () => stopTimer?.());
  return {
    http2,
    callStarted: () => {
      if (activeCalls++ === 0) {
        if (!http2.destroyed) http2.ref();
        watch();
      }
    },
    callEnded: () => {
      if (--activeCalls === 0) {
        stopTimer?.();
        stopTimer = undefined;
        if (!http2.destroyed) http2.unref();
      }
    },
    received: () => {
      receivedMs = clock.monotonicMs();
    },
    lossReason: of.lossReason,
  };
}
