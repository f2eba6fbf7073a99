import { fail, ok } from "@pleiad/model";
import type { Names, ServiceTarget } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { endpointAddressFault, lookedUpAddress } from "./endpoint-address.ts";
import { openEndpointSource } from "./endpoint-source.ts";
import type { EndpointSpec } from "./endpoint.ts";
import { createFanout, defaultFanout } from "./fanout.ts";

describe("the address of an endpoint", () => {
  for (const [address, fault] of [
    ["store:10901", undefined],
    ["[::1]:10901", undefined],
    ["dns+store.svc:10901", undefined],
    ["dnsdualstack+store:1", undefined],
    ["dnssrv+_grpc._tcp.store.svc", undefined],
    ["dnssrv+_grpc._tcp.store.svc:10901", undefined],
    ["dnssrvnoa+_grpc._tcp.store.svc", undefined],
    ["dns+store", "a port is missing, such as dns+store:10901"],
    ["dns+:10901", "expected a name, such as dns+thanos-store:10901"],
    ["dns+a b:10901", "expected a name, such as dns+thanos-store:10901"],
    ["dns+store:70000", "70000 is no port"],
    ["dnsfoo+store:1", "expected host:port, such as thanos-store:10901"],
    ["store", "expected host:port, such as thanos-store:10901"],
  ] as const) {
    it(`${address}: ${fault ?? "is one"}`, () => expect(endpointAddressFault(address)).toBe(fault));
  }

  it("without a lookup is none to be looked up", () => {
    expect(lookedUpAddress("store:10901")).toBeUndefined();
    expect(lookedUpAddress("dnssrvnoa+_grpc._tcp.store:1")).toEqual({
      lookup: "dnssrvnoa",
      host: "_grpc._tcp.store",
      port: 1,
    });
  });
});

/** A name server whose entries a test changes. */
function fakeNames() {
  const hosts = new Map<string, readonly string[]>();
  const services = new Map<string, readonly ServiceTarget[]>();
  const asked: string[] = [];
  const answer = <T>(from: ReadonlyMap<string, T>, name: string): Promise<T> => {
    asked.push(name);
    const found = from.get(name);
    return found === undefined ? Promise.reject(new Error("name not found")) : Promise.resolve(found);
  };
  const names: Names = { hostAddresses: (host) => answer(hosts, host), services: (name) => answer(services, name) };
  return { hosts, services, asked, names };
}

const spec = (address: string, more: Partial<EndpointSpec> = {}): EndpointSpec => ({
  address,
  name: address,
  expects: [],
  ...more,
});
const shown = (specs: readonly EndpointSpec[]) =>
  specs.map(({ address, group, unresolved }) =>
    [address, ...(group === undefined ? [] : [group]), ...(unresolved === undefined ? [] : [unresolved])].join(" "),
  );

async function open(endpoints: readonly EndpointSpec[], dns: ReturnType<typeof fakeNames>, files?: readonly string[]) {
  const ports = testPorts();
  const counts = new Map<string, number>();
  const count = (name: string, by: number) => void counts.set(name, (counts.get(name) ?? 0) + by);
  const observations = {
    ...ports.observations,
    counter: (name: string) => ({ add: (by: number) => count(name, by) }),
    gauge: (name: string) => ({ set: (value: number, label = "") => void counts.set(`${name} ${label}`, value) }),
  };
  await ports.files.makeDirectory("/sd");
  await ports.files.writeFileAtomic("/sd/a.json", new TextEncoder().encode(JSON.stringify([{ targets: files ?? [] }])));
  const opened = await openEndpointSource(
    {
      endpoints,
      names: { names: dns.names, intervalMs: 30_000 },
      ...(files === undefined ? {} : { files: { paths: ["/sd/a.json"], intervalMs: 5_000 } }),
    },
    { ...ports, observations },
  );
  if (!opened.ok) throw new Error(opened.failure);
  const taken: (readonly string[])[] = [];
  const refusing = { next: false };
  const stopping = new AbortController();
  const done = opened.value.follow(async (specs) => {
    if (refusing.next) return fail("too many");
    taken.push(shown(specs));
    return ok(undefined);
  }, stopping.signal);
  const stop = async () => {
    stopping.abort();
    await done;
  };
  return { ...ports, first: shown(opened.value.specs), taken, counts, refusing, stop };
}

describe("endpoints named by DNS", () => {
  it("are those that a host stands for, IPv6 in brackets, each once, in a fixed order", async () => {
    const dns = fakeNames();
    dns.hosts.set("store", ["10.0.0.2", "10.0.0.1", "fd00::1"]);
    const { first, stop } = await open([spec("dns+store:10901"), spec("10.0.0.1:10901"), spec("other:1")], dns);
    expect(first).toEqual(["10.0.0.1:10901", "10.0.0.2:10901", "[fd00::1]:10901", "other:1"]);
    await stop();
  });

  it("are the targets of a service, with the port of their record or the one that is named", async () => {
    const dns = fakeNames();
    dns.services.set("_grpc._tcp.store", [
      { host: "store-1", port: 1001 },
      { host: "store-0", port: 1000 },
    ]);
    dns.hosts.set("store-0", ["10.0.0.1"]);
    dns.hosts.set("store-1", ["10.0.0.2"]);
    for (const [address, expected] of [
      ["dnssrv+_grpc._tcp.store", ["10.0.0.1:1000", "10.0.0.2:1001"]],
      ["dnssrvnoa+_grpc._tcp.store", ["store-0:1000", "store-1:1001"]],
      ["dnssrv+_grpc._tcp.store:7", ["10.0.0.1:7", "10.0.0.2:7"]],
    ] as const) {
      const { first, stop } = await open([spec(address)], dns);
      expect(first, address).toEqual(expected);
      await stop();
    }
  });

  it("of a group are its replicas, all with what is expected behind it", async () => {
    const dns = fakeNames();
    dns.hosts.set("leaf", ["10.0.0.1", "10.0.0.2"]);
    const { first, stop } = await open([spec("dns+leaf:1", { group: "dns+leaf:1" })], dns);
    expect(first).toEqual(["10.0.0.1:1 dns+leaf:1", "10.0.0.2:1 dns+leaf:1"]);
    await stop();
  });

  it("are looked up anew every 30 s, and handed over where they changed", async () => {
    const dns = fakeNames();
    dns.hosts.set("store", ["10.0.0.1"]);
    const one = await open([spec("dns+store:1")], dns);
    await one.clock.advance(60_000);
    expect(one.taken).toEqual([]);
    expect(dns.asked).toHaveLength(3);
    dns.hosts.set("store", ["10.0.0.1", "10.0.0.2"]);
    await one.clock.advance(29_000);
    expect(one.taken).toEqual([]);
    await one.clock.advance(1_000);
    expect(one.taken).toEqual([["10.0.0.1:1", "10.0.0.2:1"]]);
    expect(one.counts.get("thanos_query_endpoints_dns_provider_results dns+store:1")).toBe(2);
    await one.stop();
  });

  it("that are not found any more stay as they were, which is counted", async () => {
    const dns = fakeNames();
    dns.hosts.set("store", ["10.0.0.1"]);
    const one = await open([spec("dns+store:1")], dns);
    dns.hosts.delete("store");
    await one.clock.advance(90_000);
    expect(one.taken).toEqual([]);
    expect(one.counts.get("thanos_query_endpoints_dns_lookups_total")).toBe(4);
    expect(one.counts.get("thanos_query_endpoints_dns_failures_total")).toBe(3);
    dns.hosts.set("store", ["10.0.0.9"]);
    await one.clock.advance(30_000);
    expect(one.taken).toEqual([["10.0.0.9:1"]]);
    await one.stop();
  });

  it("that were never found are told as such until they are", async () => {
    const dns = fakeNames();
    const one = await open([spec("dns+store:1")], dns);
    expect(one.first).toEqual(["dns+store:1 name not found"]);
    const fanout = createFanout(
      { ...defaultFanout, endpoints: [spec("dns+store:1", { unresolved: "name not found" })] },
      one,
    );
    await fanout.refresh();
    const signal = new AbortController().signal;
    const request = {
      minTimeMs: 0,
      maxTimeMs: 1,
      matchers: [],
      withoutLabels: [],
      onFailure: "warn",
      limit: 0,
    } as const;
    expect(await fanout.labelNames(request, signal)).toEqual(
      ok({ values: [], warnings: ["endpoints missing from the answer: dns+store:1 (name not found at dns+store:1)"] }),
    );
    await fanout.stop();
    dns.hosts.set("store", ["10.0.0.1"]);
    await one.clock.advance(30_000);
    expect(one.taken).toEqual([["10.0.0.1:1"]]);
    await one.stop();
  });

  it("in files are looked up when they come, beside those of flags", async () => {
    const dns = fakeNames();
    dns.hosts.set("store", ["10.0.0.1"]);
    dns.hosts.set("agent", ["10.0.0.7"]);
    const one = await open([spec("dns+store:1")], dns, ["a:1"]);
    expect(one.first).toEqual(["10.0.0.1:1", "a:1"]);
    await one.files.writeFileAtomic("/sd/a.json", new TextEncoder().encode('[{"targets": ["dns+agent:2"]}]'));
    await one.clock.advance(5_000);
    expect(one.taken).toEqual([["10.0.0.1:1", "10.0.0.7:2"]]);
    dns.hosts.set("agent", ["10.0.0.8"]);
    await one.clock.advance(30_000);
    expect(one.taken.at(-1)).toEqual(["10.0.0.1:1", "10.0.0.8:2"]);
    await one.stop();
  });

  it("that are refused are handed over again", async () => {
    const dns = fakeNames();
    dns.hosts.set("store", ["10.0.0.1"]);
    const one = await open([spec("dns+store:1")], dns);
    one.refusing.next = true;
    dns.hosts.set("store", ["10.0.0.2"]);
    await one.clock.advance(30_000);
    one.refusing.next = false;
    await one.clock.advance(30_000);
    expect(one.taken).toEqual([["10.0.0.2:1"]]);
    await one.stop();
  });
});
