/** Addresses of endpoints as flags and files write them: host:port, or a name with the way in which it is looked up. */
import type { Names } from "@pleiad/ports";

/** Thanos's: addresses of a host; targets of an SRV record, their hosts looked up as well, or not. */
const lookups = ["dns", "dnsdualstack", "dnssrv", "dnssrvnoa"] as const;
export type EndpointLookup = (typeof lookups)[number];

export interface LookedUpAddress {
  readonly lookup: EndpointLookup;
  readonly host: string;
  readonly port: number | undefined; // of an SRV record, in place of its own
}

/** Undefined for an address that is none to be looked up. */
export function lookedUpAddress(address: string): LookedUpAddress | undefined {
  const [prefix, name] = address.split("+", 2);
  const lookup = lookups.find((one) => one === prefix);
  if (lookup === undefined || name === undefined) return undefined;
  const [, host = name, port] = /^(.*):(\d{1,5})$/.exec(name) ?? [];
  return { lookup, host, port: port === undefined ? undefined : Number(port) };
}

/** What is wrong with the address of an endpoint. */
export function endpointAddressFault(address: string): string | undefined {
  const named = lookedUpAddress(address);
  if (named === undefined)
    return isPort(portOf(address)) ? undefined : "expected host:port, such as thanos-store:10901";
  const { lookup, host, port } = named;
  if (!/^[A-Za-z0-9._-]+$/.test(host)) return `expected a name, such as ${lookup}+thanos-store:10901`;
  if (port === undefined) {
    return lookup.startsWith("dnssrv") ? undefined : `a port is missing, such as ${lookup}+${host}:10901`;
  }
  return isPort(port) ? undefined : `${port} is no port`;
}

const portOf = (address: string) => Number(/^(?:\[[0-9a-fA-F:.]+\]|[^:[\]/\s+]+):(\d{1,5})$/.exec(address)?.[1]);
const isPort = (port: number) => port >= 1 && port <= 65_535;

/** host:port of each that the name stands for now, in a fixed order. Rejects with an Error that says why there is none. */
export async function resolveAddress(
  { lookup, host, port }: LookedUpAddress,
  names: Names,
): Promise<readonly string[]> {
  const found = new Set<string>();
  if (lookup === "dns" || lookup === "dnsdualstack") {
    for (const address of await names.hostAddresses(host)) found.add(joined(address, port ?? 0));
  } else {
    for (const target of await names.services(host)) {
      const targetPort = port ?? target.port;
      const hosts = lookup === "dnssrvnoa" ? [target.host] : await names.hostAddresses(target.host);
      for (const one of hosts) found.add(joined(one, targetPort));
    }
  }
  return [...found].sort();
}

const joined = (host: string, port: number) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
