/**
 * Every fatal and high row of the design's audit that rendered files can have: the seven nodes do not. Rows are named by
 * what the design got wrong; what only a fleet file can get wrong, the findings tell.
 */
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { fleetText, objectsOf, rendered } from "./rendered-fleet.fixtures.ts";

const sevenNodes = fleetText("seven-nodes");
const pairs = sevenNodes.replace("prometheusReplicas: 1", "prometheusReplicas: 2");

interface PodTemplate {
  readonly spec: {
    readonly affinity?: Json;
    readonly topologySpreadConstraints?: readonly Json[];
    readonly hostNetwork?: boolean;
    readonly nodeSelector?: Json;
    readonly volumes?: readonly Json[];
    readonly containers: readonly { readonly args?: readonly string[]; readonly env?: readonly Json[] }[];
  };
}
type Json = Readonly<Record<string, unknown>>;
interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly annotations?: Json };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: Json & {
    readonly replicas?: number;
    readonly strategy?: { readonly rollingUpdate?: { readonly maxSurge: number } };
    readonly template: PodTemplate;
    readonly volumeClaimTemplates?: readonly unknown[];
  };
}

const tree = rendered(pairs);
const all = objectsOf(tree).map(({ path, object }) => ({ path, object: object as unknown as Rendered }));
const monitoring = all.filter(({ path }) => !path.startsWith("app-clusters/")).map(({ object }) => object);
const ofKind = (kind: string) => monitoring.filter((object) => object.kind === kind);
const workloads = [...ofKind("Deployment"), ...ofKind("StatefulSet")];
const named = (name: string) => workloads.filter(({ metadata }) => metadata.name.startsWith(name));
const argsOf = ({ spec }: Rendered) => spec.template.spec.containers[0]?.args ?? [];
const app = all.filter(({ path }) => path.startsWith("app-clusters/")).map(({ object }) => object);
const prometheuses = app.filter(({ kind }) => kind === "Prometheus");

interface Endpoint {
  readonly address: string;
  readonly group?: boolean;
  readonly client_config?: { readonly server_name: string; readonly tls_config: { readonly enabled: boolean } };
}
function endpointsOf(querier: string) {
  const map = ofKind("ConfigMap").find(({ metadata }) => metadata.name === `endpoints-${querier}`);
  return parse(map?.data?.["endpoints.yaml"] ?? "") as {
    readonly default_client_config: { readonly tls_config: { readonly enabled: boolean } };
    readonly endpoints: readonly Endpoint[];
  };
}
const regions = ["a1", "a2", "a3", "bcd"];

describe("configuration", () => {
  it("every Prometheus of a cluster that is pulled uploads: its resource names the bucket's Secret", () => {
    expect(prometheuses).toHaveLength(220);
    for (const { spec } of prometheuses) {
      expect((spec["thanos"] as Json)["objectStorageConfig"]).toEqual({ name: "object-storage", key: "objstore.yml" });
    }
  });

  it("an outage of the bucket loses nothing within a day: retention is above it, and bounded by the disk", () => {
    for (const { spec } of prometheuses) {
      expect(Number(/^(\d+)h$/.exec(spec["retention"] as string)?.[1])).toBeGreaterThanOrEqual(24);
      expect(spec["retentionSize"]).toMatch(/^\d+GiB$/);
    }
  });

  it("no querier has flags that its version dropped: stores come from a file", () => {
    for (const querier of workloads.filter((one) => argsOf(one)[0] === "query")) {
      expect(argsOf(querier).filter((arg) => /^--(store|store\.sd-files|endpoint)=/.test(arg))).toEqual([]);
      expect(argsOf(querier).join(" ")).toContain("--endpoint.sd-config-file=");
    }
  });

  it("replicas are told apart by one label, the operator's, which every querier strips", () => {
    for (const { spec } of prometheuses) {
      expect(spec).toMatchObject({ replicaExternalLabelName: "replica", prometheusExternalLabelName: "" });
      expect(Object.keys(spec["externalLabels"] as Json)).not.toContain("replica");
    }
    for (const querier of workloads.filter((one) => argsOf(one)[0] === "query")) {
      expect(argsOf(querier)).toContain("--query.replica-label=replica");
    }
  });

  it("replicas of what is asked are one endpoint, over a name that lists them all", () => {
    const groups = ["global-querier", ...regions.map((region) => `regional-querier-${region}`)]
      .flatMap((querier) => endpointsOf(querier).endpoints)
      .filter(({ address }) => address.endsWith(".svc.cluster.local"));
    expect(groups.length).toBeGreaterThan(8);
    for (const { address, group } of groups) {
      expect(group, address).toBe(true);
      expect(address).toMatch(/^dnssrv\+_grpc\._tcp\./);
      const service = ofKind("Service").find(({ metadata }) => address.includes(`.${metadata.name}.`));
      expect(service?.spec["clusterIP"], address).toBe("None");
    }
  });

  it("rulers are asked by a querier that the root asks, and each region's stores by that region alone", () => {
    const asked = (querier: string) => endpointsOf(querier).endpoints.map(({ address }) => address.split(".")[2] ?? "");
    expect(
      asked("global-querier").flatMap((name) => (name.startsWith("regional-querier") ? asked(name) : [])),
    ).toContain("ruler");
    for (const region of regions) {
      const stores = asked(`regional-querier-${region}`).filter((name) => name.startsWith("store-gateway"));
      expect(stores).toEqual([`store-gateway-${region}`]);
      expect(asked("global-querier")).not.toContain(`store-gateway-${region}`);
    }
  });

  it("every replica of a sidecar is reached by a name of its own", () => {
    const services = app.filter(({ kind, spec }) => kind === "Service" && spec["type"] === "LoadBalancer");
    expect(services).toHaveLength(440);
    const hosts = services.map(({ metadata }) => metadata.annotations?.["external-dns.alpha.kubernetes.io/hostname"]);
    expect(new Set(hosts).size).toBe(440);
    const asked = regions.flatMap((region) => endpointsOf(`regional-querier-${region}`).endpoints);
    const addresses = new Set(asked.map(({ address }) => address.replace(/:\d+$/, "")));
    expect(hosts.filter((host) => !addresses.has(host as string))).toEqual([]);
    for (const { spec } of services) expect(spec["loadBalancerSourceRanges"]).not.toEqual([]);
  });

  it("every hop between clusters shows certificates on both sides, and is held to the name of its cluster", () => {
    for (const region of regions) {
      const { default_client_config, endpoints } = endpointsOf(`regional-querier-${region}`);
      expect(default_client_config.tls_config.enabled).toBe(true);
      for (const { address, client_config } of endpoints.filter(({ group }) => group !== true)) {
        const [, cluster = ""] = /^prometheus-\d\.([^.]+)\./.exec(address) ?? [];
        expect(client_config).toMatchObject({
          server_name: `${cluster}.grpc.pleiad.internal`,
          tls_config: { enabled: true },
        });
      }
    }
    for (const { spec } of prometheuses) {
      expect((spec["thanos"] as Json)["grpcServerTlsConfig"]).toMatchObject({ ca: {}, cert: {}, keySecret: {} });
    }
  });
});

describe("safety", () => {
  it("no block has two owners among the store gateways, and each shard has a replica", () => {
    const rules = ofKind("ConfigMap").filter(({ metadata }) => metadata.name.startsWith("selector-store-gateway"));
    expect(new Set(rules.map(({ data }) => data?.["selector.yaml"])).size).toBe(rules.length);
    for (const gateway of named("store-gateway-")) expect(gateway.spec.replicas).toBeGreaterThanOrEqual(2);
  });

  it("aggregates are made in the regions: the root asks queriers and no sidecar, parts are told apart by labels", () => {
    const [root] = named("global-querier");
    expect(root === undefined ? [] : argsOf(root)).toEqual(
      expect.arrayContaining(["--query.mode=distributed", "--query.partition-label=region"]),
    );
    // A leaf that is no querier would be left out of what is asked in parts.
    const asked = endpointsOf("global-querier").endpoints.map(({ address }) => address);
    expect(asked.filter((address) => !address.startsWith("dnssrv+_grpc._tcp.regional-querier"))).toEqual([]);
  });

  it("object storage has no default credential, no host path, no moving tag", () => {
    const text = JSON.stringify(monitoring);
    expect(text).not.toMatch(/hostPath|hostNetwork|hostPort|minio123|:latest"/);
    for (const { spec, metadata } of named("object-store")) {
      const values = (spec.template.spec.containers[0]?.env ?? []).filter((one) => "value" in one);
      expect(values, metadata.name).toEqual([]);
    }
  });

  it("no role is pinned to a node, and replicas are never on one", () => {
    for (const { metadata, spec } of workloads) {
      const { nodeSelector, affinity, topologySpreadConstraints } = spec.template.spec;
      const { requiredDuringSchedulingIgnoredDuringExecution: required } = (affinity?.["nodeAffinity"] ?? {}) as Json;
      expect(nodeSelector, metadata.name).toBeUndefined();
      expect(JSON.stringify(required)).not.toContain("hostname");
      if ((spec.replicas ?? 1) < 2) continue;
      const isKeptApart =
        JSON.stringify(affinity?.["podAntiAffinity"] ?? {}).includes("requiredDuringScheduling") ||
        (topologySpreadConstraints ?? []).some(
          (one) => one["topologyKey"] === "kubernetes.io/hostname" && one["whenUnsatisfiable"] === "DoNotSchedule",
        );
      expect(isKeptApart, metadata.name).toBe(true);
    }
  });

  it("a rollout takes a pod away before it wants room for the next", () => {
    for (const { metadata, spec } of ofKind("Deployment")) {
      expect(spec.strategy?.rollingUpdate?.maxSurge, metadata.name).toBe(0);
    }
  });

  it("two rulers evaluate, over every global querier, and fire the same alert once", () => {
    const [ruler] = named("ruler");
    expect(ruler?.spec.replicas).toBe(2);
    const args = ruler === undefined ? [] : argsOf(ruler);
    expect(args).toContain("--alert.label-drop=ruler_replica");
    expect(args.filter((arg) => arg.startsWith("--query="))).toEqual([
      "--query=dnssrv+_http._tcp.global-querier.monitoring.svc.cluster.local",
    ]);
  });

  it("a missing cluster is an alert", () => {
    const rules = JSON.stringify([...ofKind("PrometheusRule"), ...ofKind("ConfigMap")]);
    for (const alert of ["PleiadClusterMissing", "PleiadClusterUploadsOld", "PleiadCompactorHalted"]) {
      expect(rules).toContain(alert);
    }
  });

  it("a compactor has a disk, is never two, waits between rounds for more than they take, and deletes what is old", () => {
    const compactors = named("compactor");
    expect(compactors.length).toBeGreaterThan(0);
    for (const compactor of compactors) {
      expect(compactor.kind).toBe("StatefulSet");
      expect(compactor.spec.replicas).toBe(1);
      expect(compactor.spec.volumeClaimTemplates).toHaveLength(1);
      expect(argsOf(compactor)).toEqual(
        expect.arrayContaining([
          "--wait",
          "--wait-interval=30m",
          expect.stringMatching(/^--retention\.resolution-raw=/),
        ]),
      );
    }
  });

  it("one question cannot take a tier down: series and samples of a request, and questions at once, are bounded", () => {
    const asked = workloads.filter((one) => ["query", "store"].includes(argsOf(one)[0] ?? ""));
    expect(asked.length).toBeGreaterThan(5);
    for (const one of asked) {
      for (const flag of ["store.limits.request-series", "store.limits.request-samples"]) {
        const [value] = argsOf(one).flatMap((arg) => (arg.startsWith(`--${flag}=`) ? [Number(arg.split("=")[1])] : []));
        expect(value, `${one.metadata.name}: ${flag}`).toBeGreaterThan(10_000);
      }
      if (argsOf(one)[0] === "query") expect(argsOf(one).join(" ")).toMatch(/--query\.max-concurrent=\d+/);
    }
  });
});
