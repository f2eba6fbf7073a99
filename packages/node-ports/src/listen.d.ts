/** Binding a server, with an error that a person can act on. */
import type { AddressInfo, Server } from "node:net";
/** Resolves to what was bound; rejects with an Error that names the address and the reason. */
export declare function listen(
  server: Pick<Server, "listen" | "address" | "on" | "off">,
  address: string,
): Promise<AddressInfo>;
