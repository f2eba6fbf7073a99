/** One endpoint of a fan-out: what is expected of it, what it said of itself, and whether it can be asked. */
import {
  fail,
  withoutLabels,
  type Labels,
  type MonitoringService,
  type Result,
  type SourceFailure,
} from "@pleiad/model";
import type { Clock, RpcClientOptions } from "@pleiad/ports";
import type { AlertStateNumbers } from "@pleiad/wire";
import { announcedUntil } from "./announced-ranges.ts";
import { describeTrouble } from "./rpc-failures.ts";
import type { StoreClient } from "./store-client.ts";
import type { StoreIdentity } from "./store-identity.ts";

/** A cluster whose data must be reachable. A request that its labels exclude does not miss it. */
export interface ExpectedCluster {
  readonly name: string;
  readonly labels: Labels; // its external labels
}

export interface EndpointSpec {
  readonly address: string;
  readonly name: string;
  /** Endpoints of one group are replicas that hold the same: one of them is asked, another one if it fails. */
  readonly group?: string;
  readonly expects: readonly ExpectedCluster[];
  /** Why no address of it is known; then `address` is the name that was looked up, and it is not asked. */
  readonly unresolved?: string;
  /** By default in plain text, uncompressed. */
  readonly connection?: RpcClientOptions;
  /** How it counts the states of alerts, where that is not as Thanos has it since 0.41. */
  readonly alertStateNumbers?: AlertStateNumbers;
}

export interface EndpointStatus {
  readonly name: string;
  readonly address: string;
  readonly group: string | undefined;
  readonly componentType: string; // "unknown" until it answered
  readonly healthy: boolean;
  readonly lastCheckMs: number | undefined; // undefined = not asked yet
  readonly lastError: string | undefined;
  readonly labelSets: readonly Labels[];
  readonly minTimeMs: number | undefined;
  readonly maxTimeMs: number | undefined;
  readonly expects: readonly string[]; // names of clusters
  readonly missing: readonly string[]; // of those, the ones that cannot be reached through it now
}

/** Why an endpoint gave nothing: words, to which its address is added. */
export interface Trouble {
  readonly words: string;
  readonly address: string;
}

export interface Endpoint {
  readonly spec: EndpointSpec; // what it expects, without replica labels
  readonly expectsReplicas: readonly ExpectedCluster[]; // the same with them
  readonly client: StoreClient;
  /** Asks the endpoint what it is. Never rejects; an aborted call changes nothing. */
  check(signal: AbortSignal): Promise<void>;
  readonly healthy: boolean;
  /** What it said last; undefined when it never did, or has been unhealthy for too long for that to count. */
  readonly identity: StoreIdentity | undefined;
  /** Time since it said so. */
  readonly identityAgeMs: number;
  /** Expected clusters that it does not announce up to now; all of them while it is unhealthy. */
  readonly missing: readonly ExpectedCluster[];
  /** Likewise up to a time: what it announces of a cluster may end in the past, such as blocks whose agent is away. */
  missingAt(timeMs: number): readonly ExpectedCluster[];
  /** Whether it said so last, however long ago; one that never said anything may. */
  mayServe(service: MonitoringService): boolean;
  /** Why it is unhealthy. */
  trouble(): Trouble;
  status(): EndpointStatus;
}

export interface EndpointOptions {
  readonly infoTimeoutMs: number;
  readonly unhealthyTimeoutMs: number;
  /** Labels by which replicas of one cluster differ: they do not count when a cluster is recognised. */
  readonly replicaLabels: ReadonlySet<string>;
}

export function createEndpoint(
  spec: EndpointSpec,
  client: StoreClient,
  clock: Clock,
  options: EndpointOptions,
): Endpoint {
  const { replicaLabels } = options;
  const expects = spec.expects.map(({ name, labels }) => ({ name, labels: withoutLabels(labels, replicaLabels) }));
  const expected: EndpointSpec = { ...spec, expects };
  let lastCheckMs: number | undefined;
  let failure: SourceFailure | undefined;
  let identity: StoreIdentity | undefined;
  let saidAtMs = 0; // monotonic
  let announcedMs: readonly number[] = []; // of `expects`, until when
  let allAnnouncedMs = -Infinity; // the least of these

  const isHealthy = () => identity !== undefined && failure === undefined;
  const knownIdentity = () =>
    isHealthy() || clock.monotonicMs() - saidAtMs < options.unhealthyTimeoutMs ? identity : undefined;
  const missingAt = (timeMs: number) => {
    if (!isHealthy()) return expects;
    return timeMs <= allAnnouncedMs ? [] : expects.filter((_, i) => timeMs > (announcedMs[i] as number));
  };
  const missing = () => missingAt(clock.wallMs());

  return {
    spec: expected,
    expectsReplicas: spec.expects,
    client,
    async check(signal) {
      const answer: Result<StoreIdentity, SourceFailure> =
        spec.unresolved === undefined
          ? await client.info(signal, options.infoTimeoutMs)
          : fail({ kind: "unavailable", source: spec.name, reason: spec.unresolved });
      if (signal.aborted) return;
      lastCheckMs = clock.wallMs();
      if (!answer.ok) failure = answer.failure;
      else if (answer.value.ready === false) {
        failure = { kind: "unavailable", source: spec.name, reason: "not ready" };
      } else {
        failure = undefined;
        identity = answer.value;
        saidAtMs = clock.monotonicMs();
        announcedMs = announcedUntil(
          expects.map(({ labels }) => labels),
          identity,
        );
        allAnnouncedMs = announcedMs.reduce((least, one) => Math.min(least, one), Infinity);
      }
    },
    get healthy() {
      return isHealthy();
    },
    get identity() {
      return knownIdentity();
    },
    get identityAgeMs() {
      return clock.monotonicMs() - saidAtMs;
    },
    get missing() {
      return missing();
    },
    missingAt,
    mayServe: (service) => identity === undefined || identity.serves?.includes(service) === true,
    trouble: () => ({
      words: failure === undefined ? "not reached yet at" : describeTrouble(failure, spec.address),
      address: spec.address,
    }),
    status() {
      const known = knownIdentity();
      return {
        name: spec.name,
        address: spec.address,
        group: spec.group,
        componentType: identity?.componentType ?? "unknown",
        healthy: isHealthy(),
        lastCheckMs,
        lastError: failure === undefined ? undefined : `${describeTrouble(failure, spec.address)} ${spec.address}`,
        labelSets: known?.labelSets ?? [],
        minTimeMs: known?.minTimeMs,
        maxTimeMs: known?.maxTimeMs,
        expects: expects.map(({ name }) => name),
        missing: missing().map(({ name }) => name),
      };
    },
  };
}
