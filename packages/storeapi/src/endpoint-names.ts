/** Endpoints that are named by DNS: looked up, and looked up anew while the querier runs. */
import type { Names, Ports } from "@pleiad/ports";
import { lookedUpAddress, resolveAddress } from "./endpoint-address.ts";
import type { EndpointSpec } from "./endpoint.ts";

export interface EndpointNamesOptions {
  readonly names: Names;
  readonly intervalMs: number;
}

export const defaultEndpointNamesIntervalMs = 30_000;

export interface EndpointNames {
  /**
   * The endpoints with each that is to be looked up as those that its name stands for: of a group, its replicas. One that
   * was never found stays as one that cannot be reached, so that answers tell of it. Looks up only what is new to it.
   */
  expand(specs: readonly EndpointSpec[]): Promise<readonly EndpointSpec[]>;
  /** Looks up all names of the last `expand` anew; whether any stands for others now. Never rejects. */
  refresh(): Promise<boolean>;
}

export function createEndpointNames(
  { names }: EndpointNamesOptions,
  { observations }: Pick<Ports, "observations">,
): EndpointNames {
  const lookups = observations.counter("thanos_query_endpoints_dns_lookups_total", "Names of endpoints looked up.");
  const failures = observations.counter(
    "thanos_query_endpoints_dns_failures_total",
    "Of those, the ones that failed: what was found before holds.",
  );
  const results = observations.gauge(
    "thanos_query_endpoints_dns_provider_results",
    "Addresses that a name of endpoints stands for.",
    ["addr"],
  );
  let known = new Map<string, Found>();
  let wanted: readonly string[] = [];

  async function look(address: string, before: Found | undefined): Promise<Found> {
    const named = lookedUpAddress(address);
    if (named === undefined) return { addresses: [address], fault: undefined };
    lookups.add(1);
    try {
      const addresses = await resolveAddress(named, names);
      results.set(addresses.length, address);
      return { addresses, fault: undefined };
    } catch (error) {
      failures.add(1);
      const fault = error instanceof Error ? error.message : String(error);
      if (before?.fault !== fault)
        observations.log("warn", "A name of endpoints was not found.", { name: address, fault });
      return { addresses: before?.addresses ?? [], fault };
    }
  }

  async function lookAll(addresses: readonly string[], before: (address: string) => Found | undefined) {
    const found = await Promise.all(
      addresses.map(async (address) => before(address) ?? (await look(address, known.get(address)))),
    );
    for (const address of known.keys()) if (!addresses.includes(address)) results.set(0, address);
    known = new Map(addresses.map((address, i) => [address, found[i] as Found]));
  }

  return {
    async expand(specs) {
      wanted = [...new Set(specs.map(({ address }) => address).filter((one) => lookedUpAddress(one) !== undefined))];
      await lookAll(wanted, (address) => known.get(address));
      return specs.flatMap((spec) => {
        const found = known.get(spec.address);
        if (found === undefined) return [spec];
        const { addresses, fault } = found;
        if (addresses.length === 0) return [{ ...spec, unresolved: fault ?? "name not found" }];
        return addresses.map((address) => ({ ...spec, address, name: address }));
      });
    },
    async refresh() {
      const before = known;
      await lookAll(wanted, () => undefined);
      return wanted.some((address) => String(before.get(address)?.addresses) !== String(known.get(address)?.addresses));
    },
  };
}

interface Found {
  readonly addresses: readonly string[];
  readonly fault: string | undefined; // of the last lookup
}
