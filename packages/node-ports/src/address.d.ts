/** Addresses `host:port` as listeners and clients name them, and what a failure to use one is called. */
import type { AddressInfo } from "node:net";
export interface HostPort {
  readonly host: string;
  readonly port: number;
}
/** Throws an Error that shows what was expected: an address comes from checked configuration. */
export declare function parseAddress(address: string): HostPort;
export declare function formatAddress({ address, port }: Pick<AddressInfo, "address" | "port">): string;
/** The error of a failed bind, naming the address and the reason in plain words. */
export declare function bindError(address: string, cause: unknown): Error;
/** An operating system's network error in words. */
export declare function reasonOf(error: unknown): string;
