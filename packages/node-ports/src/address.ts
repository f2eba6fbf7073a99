/** Addresses `host:port` as listeners and clients name them, and what a failure to use one is called. */
import type { AddressInfo } from "node:net";

export interface HostPort {
  readonly host: string; // without the brackets of an IPv6 address
  readonly port: number;
}

/** Throws an Error that shows what was expected: an address comes from checked configuration. */
export function parseAddress(address: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw new Error(`${address}: expected host:port, such as 127.0.0.1:9090`);
  return { host, port };
}

export function formatAddress({ address, port }: Pick<AddressInfo, "address" | "port">): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The error of a failed bind, naming the address and the reason in plain words. */
export function bindError(address: string, cause: unknown): Error {
  return new Error(`${address}: ${reasonOf(cause)}`, { cause });
}

/** An operating system's network error in words. */
export function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  const known = typeof code === "string" ? reasons[code] : undefined;
  if (known !== undefined) return known;
  // Several addresses of one name were tried, each with an error of its own.
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "not an address of this machine",
  EAI_AGAIN: "name not resolved (name server unavailable)",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "no route to host",
  EMFILE: "too many open files",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "name not found",
  EPERM: "permission denied",
  EPIPE: "connection closed",
  ETIMEDOUT: "connection timed out",
};
