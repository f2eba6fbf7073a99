/** A plain connection of bytes, for the few peers that speak neither HTTP nor gRPC. */

export interface TcpHandlers {
  /** What came, in the order in which it was sent; the bytes are the handler's. */
  readonly onBytes: (bytes: Uint8Array) => void;
  /** Called once, when nothing more comes: with the reason where the connection was refused, cut or broken. */
  readonly onEnd: (reason: string | undefined) => void;
}

export interface TcpConnection {
  /** Sends, as soon as it is connected. After the end nothing is sent. */
  write(bytes: Uint8Array): void;
  /** Ends it at once; `onEnd` is called if it was not yet. */
  destroy(): void;
}

/** Begins to connect; what fails is told by `onEnd`. */
export type ConnectTcp = (host: string, port: number, handlers: TcpHandlers) => TcpConnection;
