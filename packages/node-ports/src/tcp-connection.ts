/** Plain connections on Node's sockets. */
import { connect } from "node:net";
import type { ConnectTcp } from "@pleiad/ports";

export const connectTcp: ConnectTcp = (host, port, { onBytes, onEnd }) => {
  let reason: string | undefined;
  const socket = connect({ host, port, noDelay: true });
  socket.on("data", onBytes);
  socket.on("error", (error) => (reason = error.message));
  // Whoever is cut off in the middle learns of it here, with or without an error before.
  socket.on("close", () => onEnd(reason));
  return {
    write: (bytes) => {
      if (!socket.destroyed) socket.write(bytes);
    },
    destroy: () => socket.destroy(),
  };
};
