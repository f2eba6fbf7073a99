/** The endpoints of a fan-out as they come and go: their checks, their connections, and what is expected of them all. */
import { fail, ok, type Result } from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import { createEndpoint, type Endpoint, type EndpointSpec } from "./endpoint.ts";
import { missingClusters, replicaSetsOf, type ReplicaSet } from "./replica-set.ts";
import type { StoreClient } from "./store-client.ts";

export interface EndpointSetOptions {
  readonly replicaLabels: readonly string[];
  readonly infoIntervalMs: number;
  readonly infoRetryMs: number;
  readonly infoTimeoutMs: number;
  readonly unhealthyTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly endpointsMax: number;
  connect(spec: EndpointSpec): StoreClient;
}

export interface Inventory {
  readonly expected: readonly string[]; // names of clusters
  readonly missing: readonly string[]; // of those, the ones that no healthy endpoint announces up to now
}

export interface EndpointSet {
  readonly endpoints: readonly Endpoint[];
  readonly replicaSets: readonly ReplicaSet[];
  inventory(): Inventory;
  start(): void;
  refresh(): Promise<void>;
  /** See `Fanout.setEndpoints`. */
  replace(specs: readonly EndpointSpec[]): Promise<Result<undefined, string>>;
  stop(): Promise<void>;
}

interface Member {
  readonly key: string;
  readonly endpoint: Endpoint;
  readonly leaving: AbortController;
}

/** Throws where the first endpoints are too many. */
export function createEndpointSet(
  specs: readonly EndpointSpec[],
  options: EndpointSetOptions,
  { clock, observations }: Pick<Ports, "clock" | "observations">,
): EndpointSet {
  const { infoTimeoutMs, unhealthyTimeoutMs } = options;
  const replicaLabels = new Set(options.replicaLabels);
  const stopping = new AbortController();
  const checks = new Set<Promise<void>>();
  const closes = new Map<Endpoint, () => void>(); // of connections whose endpoint has gone: what stops their timers
  let members: readonly Member[] = [];
  let endpoints: readonly Endpoint[] = [];
  let replicaSets: readonly ReplicaSet[] = [];
  let started = false;
  let lastChange: Promise<unknown> = Promise.resolve();

  const endpointsGauge = observations.gauge(
    "pleiad_fanout_endpoints",
    "Endpoints of the fan-out, by what they are and whether they answer.",
    ["component_type", "state"],
  );
  const expectedGauge = observations.gauge("pleiad_fanout_clusters_expected", "Clusters that the inventory expects.");
  const missingGauge = observations.gauge(
    "pleiad_fanout_clusters_missing",
    "Expected clusters that no healthy endpoint announces up to now.",
  );
  const seenTypes = new Set<string>();

  function observe() {
    const counts = new Map<string, { up: number; down: number }>();
    for (const { componentType, healthy } of endpoints.map((endpoint) => endpoint.status())) {
      seenTypes.add(componentType);
      const count = counts.get(componentType) ?? { up: 0, down: 0 };
      count[healthy ? "up" : "down"]++;
      counts.set(componentType, count);
    }
    for (const type of seenTypes) {
      endpointsGauge.set(counts.get(type)?.up ?? 0, type, "up");
      endpointsGauge.set(counts.get(type)?.down ?? 0, type, "down");
    }
    const { expected, missing } = inventory();
    expectedGauge.set(expected.length);
    missingGauge.set(missing.length);
  }

  function inventory(): Inventory {
    const expected = new Set<string>();
    const missing = new Set<string>();
    for (const set of replicaSets) {
      for (const { spec } of set.endpoints) for (const { name } of spec.expects) expected.add(name);
      for (const { name } of missingClusters(set, clock.wallMs())) missing.add(name);
    }
    return { expected: [...expected], missing: [...missing] };
  }

  async function keepChecking({ endpoint, leaving: { signal } }: Member) {
    while (!signal.aborted) {
      const { healthy, missing } = endpoint;
      await endpoint.check(signal);
      if (endpoint.healthy !== healthy || endpoint.missing.length !== missing.length) observe();
      try {
        const isWhole = endpoint.healthy && endpoint.missing.length === 0;
        await clock.sleep(isWhole ? options.infoIntervalMs : options.infoRetryMs, signal);
      } catch {
        return; // it left
      }
    }
  }

  function watch(member: Member) {
    const check = keepChecking(member);
    checks.add(check);
    void check.then(() => checks.delete(check));
  }

  function join(spec: EndpointSpec): Member {
    const endpoint = createEndpoint(spec, options.connect(spec), clock, {
      infoTimeoutMs,
      unhealthyTimeoutMs,
      replicaLabels,
    });
    const leaving = new AbortController();
    stopping.signal.addEventListener("abort", () => leaving.abort(), { once: true, signal: leaving.signal });
    return { key: keyOf(spec), endpoint, leaving };
  }

  /** Requests that it was asked before still get their answers: twice its time is the most that one may take. */
  function leave({ endpoint, leaving }: Member) {
    leaving.abort();
    const stopTimer = clock.after(2 * options.requestTimeoutMs, () => {
      closes.delete(endpoint);
      void endpoint.client.close();
    });
    closes.set(endpoint, stopTimer);
  }

  function take(next: readonly Member[]) {
    members = next;
    endpoints = next.map(({ endpoint }) => endpoint);
    replicaSets = replicaSetsOf(endpoints);
  }

  async function change(wanted: readonly EndpointSpec[]): Promise<Result<undefined, string>> {
    const tooMany = countFault(wanted.length, options.endpointsMax);
    if (tooMany !== undefined) return fail(tooMany);
    const staying = new Map<string, Member[]>();
    for (const member of members) staying.set(member.key, [...(staying.get(member.key) ?? []), member]);
    const joining: Member[] = [];
    const next = wanted.map((spec) => {
      const known = staying.get(keyOf(spec))?.shift();
      if (known !== undefined) return known;
      const member = join(spec);
      joining.push(member);
      return member;
    });
    // Until they have been asked what they are, every answer would lack them, and what they take the place of.
    if (started) await Promise.all(joining.map(async ({ endpoint, leaving }) => await endpoint.check(leaving.signal)));
    take(next);
    for (const member of [...staying.values()].flat()) leave(member);
    if (stopping.signal.aborted) return ok(undefined);
    if (started) joining.forEach(watch);
    observe();
    return ok(undefined);
  }

  const tooMany = countFault(specs.length, options.endpointsMax);
  if (tooMany !== undefined) throw new Error(tooMany);
  take(specs.map(join));

  return {
    get endpoints() {
      return endpoints;
    },
    get replicaSets() {
      return replicaSets;
    },
    inventory,
    start() {
      if (started) return;
      started = true;
      observe();
      members.forEach(watch);
    },
    async refresh() {
      await Promise.all(members.map(async ({ endpoint, leaving }) => await endpoint.check(leaving.signal)));
      observe();
    },
    async replace(wanted) {
      const changing = lastChange.then(() => change(wanted));
      lastChange = changing;
      return await changing;
    },
    async stop() {
      stopping.abort();
      await lastChange;
      await Promise.all(checks);
      for (const stopTimer of closes.values()) stopTimer();
      await Promise.all([...endpoints, ...closes.keys()].map((endpoint) => endpoint.client.close()));
    },
  };
}

/** The same for specifications that ask for the same. */
const keyOf = ({ address, name, group, expects, unresolved, connection, alertStateNumbers }: EndpointSpec) => {
  const expected = expects.map((one) => [one.name, one.labels]);
  return JSON.stringify([address, name, group, expected, unresolved, connection, alertStateNumbers]);
};

const countFault = (count: number, countMax: number) =>
  count > countMax ? `${count} endpoints, at most ${countMax} are allowed` : undefined;
