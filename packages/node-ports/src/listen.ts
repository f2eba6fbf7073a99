/** Binding a server, with an error that a person can act on. */
import type { AddressInfo, Server } from "node:net";
import { bindError, parseAddress } from "./address.ts";

/** Resolves to what was bound; rejects with an Error that names the address and the reason. */
export async function listen(server: Pick<Server, "listen" | "address" | "on" | "off">, address: string) {
  const { host, port } = parseAddress(address);
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error) => reject(bindError(address, error));
    server.on("error", onError);
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", onError);
      resolve();
    });
  });
  server.on("error", () => {
    // Accepting failed, out of file descriptors for instance: the next connection may succeed.
  });
  return server.address() as AddressInfo;
}
