/** What must hold between rendered objects: each row of the design's audit that one fleet of files can break. */
import { describe, expect, it } from "vitest";
import { portFor } from "./ports.ts";
import { fleetText, objectsOf, planned, rendered } from "./rendered-fleet.fixtures.ts";
import { workloadEdges, workloadsOf } from "./workload.ts";

const sevenNodes = fleetText("seven-nodes");
const laptop = fleetText("laptop");
const versions = ["0.37.2", "0.40.1", "0.42.4"];
const withThanos = (text: string, version: string) => `${text}\nversions: { thanos: "${version}" }\n`;

type Json = Readonly<Record<string, unknown>>;
interface Pod {
  readonly path: string;
  readonly owner: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
}
interface PodSpec {
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: Json;
  readonly volumes?: readonly {
    readonly configMap?: { readonly name: string; readonly optional?: boolean };
    readonly secret?: { readonly secretName: string };
    readonly projected?: { readonly sources: readonly { readonly configMap: { readonly name: string } }[] };
  }[];
  readonly containers: readonly {
    readonly image: string;
    readonly args: readonly string[];
    readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
    readonly resources: { readonly requests: Json; readonly limits: Json };
    readonly securityContext: Json;
    readonly livenessProbe?: Json;
    readonly readinessProbe?: Json;
  }[];
}

function podsOf(objects: ReturnType<typeof objectsOf>): readonly Pod[] {
  return objects.flatMap(({ path, object }): Pod[] => {
    if (object.kind !== "Deployment" && object.kind !== "StatefulSet") return [];
    const { metadata, spec } = object as unknown as {
      metadata: { name: string; namespace: string };
      spec: { template: { metadata: { labels: Record<string, string> }; spec: PodSpec } };
    };
    const { template } = spec;
    return [
      {
        path,
        owner: metadata.name,
        namespace: metadata.namespace,
        labels: template.metadata.labels,
        spec: template.spec,
      },
    ];
  });
}

function matches(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

for (const version of versions) {
  describe(`the seven nodes with Thanos ${version}`, () => {
    const objects = objectsOf(rendered(withThanos(sevenNodes, version)));
    const monitoring = objects.filter(({ path }) => !path.startsWith("app-clusters/"));
    const pods = podsOf(monitoring);
    // Pods of the operator's resources carry the labels that the resource gives them.
    const operatorLabels = monitoring.flatMap(({ object }) =>
      object.kind === "Prometheus" || object.kind === "Alertmanager"
        ? [(object.spec as { podMetadata: { labels: Record<string, string> } }).podMetadata.labels]
        : [],
    );
    const podLabels = [...pods.map(({ labels }) => labels), ...operatorLabels];
    const names = (kind: string) =>
      new Set(monitoring.filter(({ object }) => object.kind === kind).map(({ object }) => object.metadata?.name));

    it("has pods to look at", () => expect(pods.length).toBeGreaterThanOrEqual(15));

    it("mounts only what is rendered, or what the Secrets' list names", () => {
      const certificates = new Set(
        monitoring.flatMap(({ object }) =>
          object.kind === "Certificate" ? [(object.spec as { secretName: string }).secretName] : [],
        ),
      );
      const secretsOfUsers = new Set([
        "object-storage",
        "object-storage-read",
        "object-storage-compact",
        "object-store",
        "grafana",
      ]);
      const configMaps = names("ConfigMap");
      const missing = pods.flatMap(({ owner, spec }) =>
        (spec.volumes ?? []).flatMap(({ configMap, secret, projected }) => [
          ...(configMap !== undefined && configMap.optional !== true && !configMaps.has(configMap.name)
            ? [`${owner}: ConfigMap ${configMap.name}`]
            : []),
          ...(projected?.sources ?? []).flatMap((source) =>
            configMaps.has(source.configMap.name) ? [] : [`${owner}: ConfigMap ${source.configMap.name}`],
          ),
          ...(secret !== undefined && !certificates.has(secret.secretName) && !secretsOfUsers.has(secret.secretName)
            ? [`${owner}: Secret ${secret.secretName}`]
            : []),
        ]),
      );
      expect(missing).toEqual([]);
    });

    it("has Services that select pods, with ports that these have, under their names", () => {
      const wrong = monitoring.flatMap(({ object }) => {
        if (object.kind !== "Service") return [];
        const { metadata, spec } = object as {
          metadata: { name: string };
          spec: { selector: Record<string, string>; ports: { name: string; targetPort: number }[] };
        };
        if (!podLabels.some((labels) => matches(spec.selector, labels))) return [`${metadata.name} selects nothing`];
        const pod = pods.find(({ labels }) => matches(spec.selector, labels));
        return pod === undefined
          ? []
          : spec.ports.flatMap(({ name, targetPort }) =>
              pod.spec.containers.some(({ ports }) =>
                ports.some((port) => port.name === name && port.containerPort === targetPort),
              )
                ? []
                : [`${metadata.name}: ${name}`],
            );
      });
      expect(wrong).toEqual([]);
    });

    it("names only Services that are there, by ports that are named so", () => {
      const services = new Map<string, ReadonlySet<string | undefined>>(
        monitoring.flatMap(({ object }) =>
          object.kind === "Service"
            ? [
                [
                  `${object.metadata?.name}.${object.metadata?.namespace}`,
                  new Set((object.spec?.ports ?? []).map(({ name }) => name)),
                ] as const,
              ]
            : [],
        ),
      );
      const text = JSON.stringify(monitoring);
      const named = [...text.matchAll(/_([a-z0-9-]+)\._tcp\.([a-z0-9-]+\.[a-z0-9-]+)\.svc/g)];
      expect(named.length).toBeGreaterThan(5);
      // A querier that asks the operator's Prometheus finds the Service that is rendered beside it.
      expect(named.filter(([, port, service]) => services.get(service as string)?.has(port) !== true)).toEqual([]);
    });

    it("runs every pod by the restricted profile, with probes, with memory that is what it asks for, from pinned images", () => {
      const wrong = pods.flatMap(({ owner, spec }) => [
        ...(spec.securityContext["runAsNonRoot"] === true && spec.automountServiceAccountToken === false
          ? []
          : [owner]),
        ...spec.containers.flatMap(({ image, resources, securityContext, livenessProbe, readinessProbe }) => [
          ...(securityContext["readOnlyRootFilesystem"] === true ? [] : [`${owner}: root is writable`]),
          ...(securityContext["allowPrivilegeEscalation"] === false ? [] : [`${owner}: privileges`]),
          ...(resources.requests["memory"] === resources.limits["memory"] ? [] : [`${owner}: memory`]),
          ...(livenessProbe === undefined || readinessProbe === undefined ? [`${owner}: probes`] : []),
          ...(/:[^:@/]*\d[^:@/]*$|@sha256:/.test(image) && !image.includes(":latest") ? [] : [`${owner}: ${image}`]),
        ]),
      ]);
      expect(wrong).toEqual([]);
    });

    it("gives every querier the same replica labels, and every gRPC server a certificate that clients must match", () => {
      const argsOf = (kind: string) =>
        pods
          .filter(({ spec }) => spec.containers[0]?.args[0] === kind)
          .map(({ spec }) => spec.containers[0]?.args ?? []);
      const labels = argsOf("query").map((args) =>
        args.filter((arg) => arg.startsWith("--query.replica-label")).join(),
      );
      expect(new Set(labels).size).toBe(1);
      expect(labels[0]).toContain("ruler_replica");
      for (const kind of ["query", "store", "rule"]) {
        for (const args of argsOf(kind)) expect(args.join(" ")).toMatch(/--grpc-server-tls-client-ca=/);
      }
    });

    it("never has two compactors for the same blocks, nor a store gateway that owns what another owns", () => {
      const compactors = pods.filter(({ spec }) => spec.containers[0]?.args[0] === "compact");
      expect(compactors).toHaveLength(1);
      const selectors = monitoring
        .filter(
          ({ object }) => object.kind === "ConfigMap" && object.metadata?.name?.startsWith("selector-store") === true,
        )
        .map(({ object }) => (object as { data: Record<string, string> }).data["selector.yaml"]);
      expect(new Set(selectors).size).toBe(selectors.length);
      expect(selectors).toHaveLength(5);
    });
  });
}

it("the monitoring Prometheus may discover pods wherever its monitors look", () => {
  const objects = objectsOf(rendered(sevenNodes)).filter(({ path }) => !path.startsWith("app-clusters/"));
  const looked = objects.flatMap(({ object }) => {
    if (object.kind !== "ServiceMonitor" && object.kind !== "PodMonitor") return [];
    return object.spec?.namespaceSelector?.matchNames ?? [object.metadata?.namespace ?? ""];
  });
  const bound = objects.flatMap(({ object }) =>
    object.kind === "RoleBinding" && object.subjects?.some(({ name }) => name === "monitoring-agent") === true
      ? [object.metadata?.namespace ?? ""]
      : [],
  );
  expect([...new Set(looked)].sort()).toEqual(["cert-manager", "monitoring", "storage"]);
  expect(bound.sort()).toEqual(["cert-manager", "monitoring", "storage"]);
});

describe("network policies", () => {
  it("let through every edge of the plan between workloads, and what they rest on, and nothing else", () => {
    const { plan } = planned(sevenNodes);
    // The console of the store is part of its pods.
    const workloads = workloadsOf(plan).filter(({ kind }) => kind !== "object-store-console");
    const kindOf = new Map(workloads.map(({ name, kind }) => [name, kind]));
    const expected = workloadEdges(plan)
      .filter(({ from, to }) => kindOf.has(from) && kindOf.has(to))
      .flatMap(({ from, to, protocol }) => {
        const kind = kindOf.get(to);
        const port = kind === undefined ? undefined : portFor(kind, protocol)?.port;
        return port === undefined ? [] : [`${from} > ${to}:${port}`];
      });
    const rest = [
      "query-frontend > memcached:11211",
      "alertmanager > alertmanager:9094",
      "monitoring-agent > alertmanager:9093",
      "grafana > grafana:9094",
    ];
    const wanted = [...new Set([...expected, ...rest])].sort();
    const policies = objectsOf(rendered(sevenNodes)).filter(
      ({ path, object }) => object.kind === "NetworkPolicy" && !path.startsWith("app-clusters/"),
    );
    interface Rule {
      readonly from?: readonly Peer[];
      readonly to?: readonly Peer[];
      readonly ports: readonly { readonly port: number }[];
    }
    interface Peer {
      readonly podSelector?: { readonly matchLabels: Readonly<Record<string, string>> };
    }
    const instance = ({ podSelector }: Peer) => podSelector?.matchLabels["app.kubernetes.io/instance"] ?? "elsewhere";
    const seen = { in: [] as string[], out: [] as string[] };
    for (const { object } of policies) {
      const { metadata, spec } = object as {
        metadata: { name: string };
        spec: { ingress?: Rule[]; egress?: Rule[] };
      };
      for (const { from = [], ports } of spec.ingress ?? []) {
        for (const peer of from)
          for (const { port } of ports) seen.in.push(`${instance(peer)} > ${metadata.name}:${port}`);
      }
      for (const { to = [], ports } of spec.egress ?? []) {
        for (const peer of to)
          for (const { port } of ports) seen.out.push(`${metadata.name} > ${instance(peer)}:${port}`);
      }
    }
    expect(seen.in.sort()).toEqual(wanted);
    expect(seen.out.filter((edge) => !edge.includes("> elsewhere:")).sort()).toEqual(wanted);
    // Out of the cluster: to app clusters' sidecars, those whom Alertmanager notifies, Grafana's database; to the API of
    // Kubernetes and cert-manager, which nobody can name here; and names.
    expect(
      [...new Set(seen.out.filter((edge) => edge.includes("> elsewhere:") && !edge.endsWith(":53")))].sort(),
    ).toEqual([
      "alertmanager > elsewhere:443",
      "grafana > elsewhere:5432",
      "monitoring-agent > elsewhere:443",
      "monitoring-agent > elsewhere:6443",
      "monitoring-agent-certificates > elsewhere:9402",
      ...["a1", "a2", "a3", "bcd"].map((region) => `regional-querier-${region} > elsewhere:10901`),
    ]);
  });
});

describe("the same input", () => {
  it("gives the same bytes twice, and in another order", () => {
    const first = rendered(laptop);
    expect([...rendered(laptop)]).toEqual([...first]);
    const lines = laptop.split("\n");
    const regions = lines.findIndex((line) => line.startsWith("  east:"));
    const [east, west] = [lines[regions] ?? "", lines[regions + 1] ?? ""];
    expect(west).toMatch(/^  west:/);
    const shuffled = lines
      .with(regions, west)
      .with(regions + 1, east)
      .join("\n");
    expect([...rendered(shuffled)]).toEqual([...first]);
  });

  it("but for one cluster more changes only that cluster's files and its region's endpoints", () => {
    const before = rendered(sevenNodes);
    const after = rendered(
      sevenNodes.replace("cluster-{211..220}", "cluster-{211..221}").replace("clusterCount: 220", "clusterCount: 221"),
    );
    const changed = [...after].filter(([path, text]) => before.get(path) !== text).map(([path]) => path);
    expect(changed).toEqual([
      "app-clusters/cluster-221/bucket-policy.json",
      "app-clusters/cluster-221/certificates.yaml",
      "app-clusters/cluster-221/kustomization.yaml",
      "app-clusters/cluster-221/namespace.yaml",
      "app-clusters/cluster-221/prometheus.yaml",
      "regional-bcd/endpoints.yaml",
    ]);
    expect([...before.keys()].filter((path) => !after.has(path))).toEqual([]);
  });
});
