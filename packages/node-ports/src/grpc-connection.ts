/** The connection of an RPC client: made when needed, kept alive while in use, made again after a loss. */
import { connect as connectSocket, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { RpcError, type ClientTls } from "@pleiad/ports";
import { parseAddress, reasonOf } from "./address.ts";
import type { GrpcLimits, GrpcPorts } from "./grpc-limits.ts";
import { Http2Connection } from "./http2-connection.ts";
import { http2Codes } from "./http2-frames.ts";
import { clientTlsOptions, handshakeReason } from "./tls-files.ts";

/** One live HTTP/2 session and what its calls must tell it. */
export interface GrpcSession {
  readonly http2: Http2Connection;
  /** A call begins: the session keeps the process alive and itself checked until `callEnded`. */
  callStarted(): void;
  callEnded(): void;
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

/** How long a server may be silent after a TLS handshake before it is spoken to all the same. */
const firstWordMs = 1_000;

/** Servers that refuse a certificate mostly say nothing: under TLS 1.3 the client's side of the handshake is done by then. */
const refusedHandshake = "closed by the peer in the TLS handshake: does it want a certificate, or another one?";

/** Without `tls`, in plain text. */
export function createGrpcConnection(
  address: string,
  ports: GrpcPorts,
  limits: GrpcLimits,
  tls?: ClientTls,
): GrpcConnection {
  const { clock } = ports;
  const random = ports.random.fork(`grpc ${address}`);
  let state: State = { kind: "idle" };
  let failedAttempts = 0;
  let keepaliveMs = limits.keepaliveMs;
  const dialing = new Set<Socket>(); // in the TLS handshake
  const open = new Set<Http2Connection>();

  const isClosed = () => state.kind === "closed";

  const unavailable = (reason: string) => new RpcError("UNAVAILABLE", `connect to ${address}: ${reason}`);

  const pauseMs = () => {
    const grownMs = limits.reconnectFirstMs * pauseGrowth ** Math.min(failedAttempts - 1, 50);
    return Math.min(grownMs, limits.reconnectMaxMs) * (1 + pauseJitter * (2 * random.float() - 1));
  };

  /** Opens the socket, with certificates as their files have them now. */
  const dial = async (): Promise<Socket> => {
    const { host, port } = parseAddress(address);
    const socketOptions = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
    if (tls === undefined) return connectSocket(socketOptions);
    const tlsOptions = await clientTlsOptions(tls, host);
    const socket = connectTls({ ...socketOptions, ...tlsOptions });
    dialing.add(socket);
    await firstWord(socket).finally(() => dialing.delete(socket));
    return socket;
  };

  /**
   * Resolves when the server has said something after the handshake, or long enough nothing. A refusal of our certificate
   * comes only then, and a session that had the socket already would not tell of it.
   */
  const firstWord = (socket: Socket) =>
    new Promise<void>((resolve, reject) => {
      const give = (error?: Error) => {
        stopTimers();
        if (error === undefined) return resolve();
        socket.destroy();
        reject(error);
      };
      const onError = (error: Error) => give(new Error(handshakeReason(error) ?? reasonOf(error)));
      const onReadable = () => (socket.readableLength > 0 ? give() : undefined);
      const onEnd = () => give(new Error(refusedHandshake));
      let stopSilence = () => {};
      const onSecure = () => {
        stopSilence = clock.after(firstWordMs, () => give());
      };
      const stopConnecting = clock.after(limits.connectTimeoutMs, () =>
        give(new Error(`no answer within ${limits.connectTimeoutMs} ms`)),
      );
      const stopTimers = () => {
        stopSilence();
        stopConnecting();
        socket.off("error", onError).off("readable", onReadable).off("end", onEnd).off("close", onEnd);
        socket.on("error", () => {}); // the session, or the close, says what it means
      };
      socket.once("secureConnect", onSecure).on("readable", onReadable).on("error", onError);
      socket.on("end", onEnd).on("close", onEnd);
    });

  const attempt = (socket: Socket) =>
    new Promise<GrpcSession>((resolve, reject) => {
      let lost: string | undefined;
      let established = false;
      let stopTimer = () => {};
      const idle = () => {
        if (state.kind === "live" && state.session === session) state = { kind: "idle" };
      };
      const lose = (reason: string) => {
        lost ??= reason; // before the streams close, for their calls to name it
        http2.destroy();
      };
      socket.on("error", (error) => {
        lost ??= handshakeReason(error) ?? reasonOf(error);
      });
      const http2 = new Http2Connection(
        socket,
        "client",
        limits,
        {
          opened: () => {
            throw new Error("a server began a stream");
          },
          // A peer is known to speak HTTP/2 only by its settings; the connection itself says little.
          established: () => {
            established = true;
            stopTimer();
            socket.unref();
            resolve(session);
          },
          leaving: (code) => {
            // The peer finds the pings too many; Go servers with their default policy do.
            if (code === http2Codes.enhanceYourCalm) keepaliveMs *= 2;
            lost ??= `peer is going away (code ${code})`;
            idle();
          },
          received: () => session.received(),
          closed: (reason) => {
            open.delete(http2);
            stopTimer();
            lost ??= reason ?? (established || tls === undefined ? "closed by the peer" : refusedHandshake);
            idle();
            session.ended();
            reject(new Error(lost)); // without effect once resolved
          },
        },
        () => clock.monotonicMs(),
      );
      open.add(http2);
      stopTimer = clock.after(limits.connectTimeoutMs, () => {
        lose(`no answer within ${limits.connectTimeoutMs} ms`);
      });
      const session = liveSession(http2, ports, limits, {
        keepaliveMs: () => keepaliveMs,
        lossReason: () => lost,
        lose,
      });
    });

  const startAttempt = async (): Promise<GrpcSession> => {
    try {
      const socket = await dial();
      if (isClosed()) {
        socket.destroy();
        throw new Error("client is closed");
      }
      const session = await attempt(socket);
      if (isClosed()) throw new Error("client is closed");
      failedAttempts = 0;
      // It may have gone in the meantime; its first call finds out.
      state = session.lossReason() === undefined ? { kind: "live", session } : { kind: "idle" };
      return session;
    } catch (error) {
      const reason = reasonOf(error);
      failedAttempts++;
      if (!isClosed()) state = { kind: "pausing", untilMs: clock.monotonicMs() + pauseMs(), reason };
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
      for (const socket of dialing) socket.destroy();
      await Promise.all(
        [...open].map(
          (http2) =>
            new Promise<void>((resolve) => {
              const { socket } = http2;
              socket.once("close", () => resolve());
              http2.destroy();
              if (socket.closed) resolve();
            }),
        ),
      );
    },
  };
}

/** Pings the peer while calls wait on a silent connection, and ends the connection when a ping is not answered. */
function liveSession(
  http2: Http2Connection,
  { clock }: GrpcPorts,
  limits: GrpcLimits,
  of: {
    readonly keepaliveMs: () => number;
    readonly lossReason: () => string | undefined;
    readonly lose: (reason: string) => void;
  },
): GrpcSession & { received(): void; ended(): void } {
  let activeCalls = 0;
  let receivedMs = clock.monotonicMs();
  let pinging = false;
  let stopTimer: (() => void) | undefined;
  let stopPing = () => {};

  const ping = () => {
    pinging = true;
    const stop = clock.after(limits.keepaliveTimeoutMs, () => {
      of.lose(`no answer to a ping within ${limits.keepaliveTimeoutMs} ms`);
    });
    stopPing = stop;
    http2.ping(() => {
      stop();
      pinging = false;
      receivedMs = clock.monotonicMs();
      watch();
    });
  };

  const watch = () => {
    stopTimer?.();
    stopTimer = undefined;
    if (activeCalls === 0 || pinging || http2.isClosed) return;
    const leftMs = receivedMs + of.keepaliveMs() - clock.monotonicMs();
    // After a long idle time the first call asks at once: its deadline may be shorter than the interval.
    if (leftMs <= 0) ping();
    else stopTimer = clock.after(leftMs, watch);
  };

  return {
    http2,
    callStarted: () => {
      if (activeCalls++ === 0) {
        http2.socket.ref();
        watch();
      }
    },
    callEnded: () => {
      if (--activeCalls === 0) {
        stopTimer?.();
        stopTimer = undefined;
        http2.socket.unref();
      }
    },
    received: () => {
      receivedMs = clock.monotonicMs();
    },
    ended: () => {
      stopTimer?.();
      stopPing();
    },
    lossReason: of.lossReason,
  };
}
