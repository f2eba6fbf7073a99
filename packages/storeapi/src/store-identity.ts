import { monitoringServices, type Labels, type MonitoringService } from "@pleiad/model";
import { noCapabilities, type Capabilities, type InfoResponseMessage, type TsdbInfoMessage } from "@pleiad/wire";

/** What a StoreAPI server says of itself to those who may ask it. */
export interface StoreIdentity {
  readonly componentType: string; // `sidecar`, `query`, `rule`, `store`, `receive`
  /** External labels of what it holds, replica labels included: it is not asked where none of the sets can match. */
  readonly labelSets: readonly Labels[];
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly tsdbInfos: readonly TsdbInfoMessage[]; // labels and time range of each database behind it
  /** Whether it evaluates queries too, and how it is asked. Undefined = it does not. */
  readonly query?: Capabilities["query"];
  /** What it tells of besides. Undefined = nothing. */
  readonly serves?: readonly MonitoringService[];
  /** False while it cannot answer, such as during replay; then it is asked nothing. Undefined = true. */
  readonly ready?: boolean;
}

/** The time range of a store that can say nothing of it: the ends stand for those of int64 on the wire. */
export const anyTime = { minTimeMs: -Number.MAX_SAFE_INTEGER, maxTimeMs: Number.MAX_SAFE_INTEGER } as const;

/** That of a peer that has no samples. */
export const noTime = { minTimeMs: Number.MAX_SAFE_INTEGER, maxTimeMs: -Number.MAX_SAFE_INTEGER } as const;

/** A component that is not ready answers without `store`, as Thanos's do. */
export function infoOfIdentity(identity: StoreIdentity): InfoResponseMessage {
  const { componentType, labelSets, minTimeMs, maxTimeMs, tsdbInfos } = identity;
  return {
    componentType,
    labelSets,
    store:
      identity.ready === false
        ? undefined
        : { minTimeMs, maxTimeMs, supportsSharding: false, supportsWithoutReplicaLabels: true, tsdbInfos },
    capabilities: identity.ready === false ? noCapabilities : capabilitiesOf(identity),
  };
}

function capabilitiesOf({ query = "none", serves = [], minTimeMs, maxTimeMs }: StoreIdentity): Capabilities {
  return {
    ...noCapabilities,
    query,
    rules: serves.includes("rules"),
    targets: serves.includes("targets"),
    metricMetadata: serves.includes("metadata"),
    exemplars: serves.includes("exemplars") ? { minTimeMs, maxTimeMs } : undefined,
  };
}

/** What a peer that announces these tells of. */
export function servicesOf(capabilities: Capabilities): readonly MonitoringService[] {
  const { rules, targets, metricMetadata, exemplars } = capabilities;
  const announced = { rules, targets, metadata: metricMetadata, exemplars: exemplars !== undefined };
  return monitoringServices.filter((service) => announced[service]);
}
