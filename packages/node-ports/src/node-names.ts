/** Names by this machine's resolver: hosts as every program here finds them, SRV records by their full name. */
import { Resolver, lookup } from "node:dns/promises";
import type { Names } from "@pleiad/ports";
import { reasonOf } from "./address.ts";

export interface NodeNamesOptions {
  /** Name servers for SRV records, host:port; by default this machine's. */
  readonly servers?: readonly string[];
}

export function nodeNames({ servers }: NodeNamesOptions = {}): Names {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  return {
    async hostAddresses(host) {
      const found = await answered(lookup(host, { all: true, order: "ipv4first" }));
      return [...new Set(found.map(({ address }) => address))];
    },
    async services(name) {
      const found = await answered(resolver.resolveSrv(name));
      if (found.length === 0) throw new Error("name without a service");
      return found.map(({ name: host, port }) => ({ host, port }));
    },
  };
}

async function answered<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    throw new Error(reasonOf(error), { cause: error });
  }
}
