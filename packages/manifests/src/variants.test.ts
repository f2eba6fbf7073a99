/** Fleets and settings other than the shipped ones, each through the strict schemas, with what is special to it. */
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { deploymentOf } from "./deployment.ts";
import { fleetText, kubernetesVersions, objectsOf, planned, rendered, schemasOf } from "./rendered-fleet.fixtures.ts";
import { defaultRenderSettings, readRenderSettings, settingsFile, type RenderSettings } from "./render-settings.ts";
import type { RenderedTree } from "./rendered-tree.ts";
import { requiredSecrets } from "./required-secrets.ts";

const sevenNodes = fleetText("seven-nodes");
const laptop = fleetText("laptop");

const pushing = laptop
  .replace("    series: 10k\n", "    series: 10k\n    ingest: push\n")
  .replace("  ruler:", "  receiver: { replicas: 2, cpu: 250m, memory: 512Mi }\n  ruler:");
const external = sevenNodes
  .replace(
    "  kind: seaweedfs # or external, silo, rook, minio",
    "  kind: external\n  endpoint: s3.eu-central-1.amazonaws.com",
  )
  .replace(/^ {2}object-store.*\n/gm, "");
const stored = (kind: string) => sevenNodes.replace("kind: seaweedfs", `kind: ${kind}`);

const argo = { repository: "https://git.example.com/fleet.git", revision: "main", path: "deploy" };
const variants: readonly [name: string, text: string, settings: Partial<RenderSettings>][] = [
  ["a group that pushes", pushing, {}],
  ["a group that pushes, keys of `pleiad certs`", pushing, { certificates: "built-in" }],
  ["S3 of somebody else, Secrets of a store", external, { secrets: { kind: "external-secrets", store: "vault" } }],
  ["silo", stored("silo"), {}],
  ["minio", stored("minio"), {}],
  ["rook", stored("rook").replace(/^ {2}object-store.*\n/gm, ""), {}],
  ["Thanos 0.37.2", `${laptop}\nversions: { thanos: "0.37.2" }\n`, {}],
  ["Thanos 0.37.2, a group that pushes", `${pushing}\nversions: { thanos: "0.37.2" }\n`, {}],
  [
    "shards",
    laptop
      .replace("regional-store-gateway: {", "regional-store-gateway: { shards: 3,")
      .replace("memory: 3Gi", "memory: 1Gi"),
    {},
  ],
  [
    "super-regions",
    laptop
      .replace("  clustersPerRegionMax: 60", "  clustersPerRegionMax: 2\n  regionsPerQuerierMax: 2\n  headroom: 0")
      .replace(/regions:\n(?: {2}.*\n)+/, "")
      .replace("roles:\n", "roles:\n  super-regional-querier: { replicas: 2, cpu: 1, memory: 1Gi, tiers: [2] }\n")
      .replaceAll("cores: 8, memory: 16Gi, disk: 100Gi", "cores: 32, memory: 128Gi, disk: 2Ti"),
    {},
  ],
  ["kube-prometheus-stack", laptop, { appClusters: "kube-prometheus-stack" }],
  ["kube-prometheus-stack, a group that pushes", pushing, { appClusters: "kube-prometheus-stack" }],
  ["Argo CD", laptop, { gitOps: argo }],
  ["a mirror, a storage class", laptop, { imageMirror: "registry.example.com/all", storageClass: "fast" }],
];

const schemas = kubernetesVersions.map((version) => [version, schemasOf(version)] as const);

describe(`strict schemas of Kubernetes ${kubernetesVersions.join(", ")} find right, and every Secret is told of:`, () => {
  for (const [name, text, settings] of variants) {
    it(name, () => {
      const tree = rendered(text, settings);
      const objects = objectsOf(tree);
      const wrong = schemas.flatMap(([version, all]) =>
        objects.flatMap(({ path, object }) => all.check(object).map((one) => `${version}: ${path}: ${one}`)),
      );
      expect(wrong).toEqual([]);
      expect([...namedSecrets(objects)].filter((one) => !toldSecrets(text, settings, objects).has(one))).toEqual([]);
      for (const { path } of objects) expect(tree.get(path)).not.toMatch(/undefined|\[object|NaN/);
    });
  }
});

/** `namespace/name` of all Secrets that objects read. */
function namedSecrets(objects: ReturnType<typeof objectsOf>): ReadonlySet<string> {
  const named = new Set<string>();
  for (const { object } of objects) {
    if (object.kind === "Certificate" || object.kind === "ExternalSecret" || object.kind === "ClusterIssuer") continue;
    const text = JSON.stringify(object);
    const patterns = [
      /"secretName":"([^"]+)"/g,
      /"secretKeyRef":\{"name":"([^"]+)"/g,
      /"secret":\{"name":"([^"]+)"/g,
      /"objectStorageConfig":\{"name":"([^"]+)"/g,
      /"configSecret":"([^"]+)"/g,
    ];
    for (const pattern of patterns) {
      for (const [, name = ""] of text.matchAll(pattern)) named.add(`${object.metadata?.namespace ?? ""}/${name}`);
    }
  }
  return named;
}

function toldSecrets(text: string, settings: Partial<RenderSettings>, objects: ReturnType<typeof objectsOf>) {
  const { fleet, plan } = planned(text);
  const deployment = deploymentOf(fleet, plan, { ...defaultRenderSettings, ...settings });
  if (!deployment.ok) throw new Error(deployment.failure.message);
  const made = objects.flatMap(({ object }) =>
    object.kind === "Certificate"
      ? [`${object.metadata.namespace}/${(object.spec as { secretName: string }).secretName}`]
      : [],
  );
  return new Set([...requiredSecrets(deployment.value).map(({ namespace, name }) => `${namespace}/${name}`), ...made]);
}

describe("queriers make replicas one as the fleet file says", () => {
  for (const [rule, file, flags] of [
    ["auto is Thanos's own default", "", []],
    ["chain", "deduplication: chain\n", ["--deduplication.func=chain"]],
    ["penalty, said aloud", "deduplication: penalty\n", ["--deduplication.func=penalty"]],
    ["a version without the flag has penalty alone", 'deduplication: chain\nversions: { thanos: "0.37.2" }\n', []],
  ] as const) {
    it(rule, () => {
      const queriers = objectsOf(rendered(`${laptop}\n${file}`)).flatMap(({ object }) => {
        const [container] = (object as Containing).spec?.template?.spec?.containers ?? [];
        return container?.args?.[0] === "query" ? [container.args] : [];
      });
      expect(queriers.length).toBeGreaterThan(1);
      for (const args of queriers) expect(args.filter((arg) => arg.startsWith("--deduplication.func"))).toEqual(flags);
    });
  }

  interface Containing {
    readonly spec?: {
      readonly template?: {
        readonly spec?: { readonly containers?: readonly { readonly args?: readonly string[] }[] };
      };
    };
  }
});

describe("values of kube-prometheus-stack", () => {
  const valuesOf = (tree: RenderedTree, cluster: string) =>
    parse(tree.get(`app-clusters/${cluster}/values.yaml`) ?? "") as {
      grafana: unknown;
      prometheus: { prometheusSpec: Record<string, unknown> & { thanos: Record<string, unknown> } };
    };
  const { grafana, prometheus } = valuesOf(
    rendered(sevenNodes, { appClusters: "kube-prometheus-stack" }),
    "cluster-007",
  );
  const spec = prometheus.prometheusSpec;

  it("name the bucket in the form that the chart does not leave out", () => {
    expect(spec.thanos["objectStorageConfig"]).toEqual({
      existingSecret: { name: "object-storage", key: "objstore.yml" },
    });
  });
  it("keep what a long outage of the bucket leaves behind, and no more than the disk holds", () => {
    expect(spec).toMatchObject({ retention: "48h", retentionSize: expect.stringMatching(/GiB$/) });
  });
  it("label series as the fleet file says, replicas apart", () => {
    expect(spec["externalLabels"]).toEqual({ cluster: "cluster-007", cluster_group: "group-a", region: "a1" });
    expect(spec).toMatchObject({ replicaExternalLabelName: "replica", prometheusExternalLabelName: "" });
  });
  it("say the sidecar's version with its image, and give it keys", () => {
    expect(spec.thanos).toMatchObject({ version: "v0.42.4", grpcServerTlsConfig: { ca: {}, cert: {}, keySecret: {} } });
  });
  it("bring no Grafana with a known password", () => expect(grafana).toEqual({ enabled: false }));
  it("of a cluster that pushes write to its region's receiver, and have no sidecar", () => {
    const push = valuesOf(rendered(pushing, { appClusters: "kube-prometheus-stack" }), "warehouse");
    expect(push.prometheus.prometheusSpec.thanos).toBeUndefined();
    expect(push.prometheus.prometheusSpec["remoteWrite"]).toMatchObject([
      { url: "https://receive-west.monitoring.internal/api/v1/receive" },
    ]);
  });
});

describe("a group that pushes", () => {
  const objects = objectsOf(rendered(pushing));
  const certificates = objects.filter(({ object }) => object.kind === "Certificate");
  const specOf = (path: string) =>
    (
      certificates.find((one) => one.path === path)?.object as
        | { spec: { commonName: string; dnsNames: string[] } }
        | undefined
    )?.spec;

  it("comes in by a load balancer whose name the receiver's certificate has", () => {
    const service = objects.find(({ object }) => object.metadata?.name === "receiver-west-public")?.object;
    expect(service?.metadata?.annotations).toMatchObject({
      "external-dns.alpha.kubernetes.io/hostname": "receive-west.monitoring.internal",
    });
    expect(service).toMatchObject({ spec: { type: "LoadBalancer", ports: [{ port: 443, targetPort: 19291 }] } });
    expect(specOf("regional-west/receiver-west.yaml")?.dnsNames).toContain("receive-west.monitoring.internal");
  });
  it("writes as the cluster that its certificate names", () => {
    expect(specOf("app-clusters/warehouse/prometheus.yaml")?.commonName).toBe("warehouse");
    expect(specOf("app-clusters/shop-01/prometheus.yaml")?.commonName).toBe("shop-01");
  });
});

describe("Argo CD", () => {
  it("gets the monitoring cluster's folders in their order, and one entry an app cluster", () => {
    const tree = rendered(laptop, { gitOps: argo });
    const [monitoring, clusters] = objectsOf(tree)
      .filter(({ object }) => object.kind === "ApplicationSet")
      .map(
        ({ object }) =>
          (object as unknown as { spec: { generators: [{ list: { elements: Record<string, string>[] } }] } }).spec,
      );
    expect(monitoring?.generators[0].list.elements.map(({ path }) => path)).toEqual([
      "deploy/s3",
      "deploy/global",
      "deploy/regional-east",
      "deploy/regional-west",
    ]);
    const paths = clusters?.generators[0].list.elements.map(({ path }) => path) ?? [];
    expect(paths).toHaveLength(12);
    for (const path of paths) expect(tree.has(`${path?.slice("deploy/".length)}/kustomization.yaml`)).toBe(true);
    expect(tree.get("kustomization.yaml")).not.toContain("argo-cd");
  });
});

describe("beside the objects", () => {
  const settings = { imageMirror: "registry.example.com/all", gitOps: argo, storageClass: "fast" } as const;
  const tree = rendered(laptop, settings);
  it("every image is listed once, and comes from the mirror", () => {
    const images = (tree.get("images.txt") ?? "").trimEnd().split("\n");
    expect(new Set(images).size).toBe(images.length);
    expect(images.length).toBeGreaterThan(5);
    for (const image of images) expect(image).toMatch(/^registry\.example\.com\/all\/[^:]+:[^:]+$/);
  });
  it("the settings are kept, and read as they were", () => {
    const read = readRenderSettings(tree.get(settingsFile) ?? "");
    expect(read).toEqual({ ok: true, value: { ...defaultRenderSettings, ...settings } });
    expect(readRenderSettings("namespace: 7\n").ok).toBe(false);
    expect(readRenderSettings("a: [").ok).toBe(false);
  });
  it("the README names the Secrets of both sides and every folder in its order", () => {
    const readme = tree.get("README.md") ?? "";
    for (const text of ["object-storage | objstore.yml", "grafana | GF_DATABASE_URL", "pleiad-ca"])
      expect(readme).toContain(text);
    const steps = [...readme.matchAll(/-k ([\w-]+)`/g)].map(([, folder]) => folder);
    expect(steps).toEqual(["s3", "global", "regional-east", "regional-west"]);
  });
});
