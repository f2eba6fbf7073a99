/**
 * The reference fleet of the benchmarks: 220 clusters of 999 series each, a pure function of its options. Nodes, pods,
 * an API server and an application, with the shapes that such series have: counters that restart now and then, noisy
 * gauges, constants, cumulative buckets; some scrapes late, some lost.
 */

export interface FleetOptions {
  readonly clusters: number;
  readonly startMs: number; // a multiple of two hours
  readonly intervalMs: number;
  readonly samples: number; // a series
  readonly replica: string;
  readonly missedShare: number; // scrapes that are lost
  readonly jitterShare: number; // scrapes that come 3 to 20 ms late
}

export const referenceFleet: FleetOptions = {
  clusters: 220,
  startMs: 1_763_640_000_000,
  intervalMs: 30_000,
  samples: 240,
  replica: "0",
  missedShare: 0.001,
  jitterShare: 0.03,
};

export type MetricKind = "counter" | "gauge" | "histogram";

export interface ReferenceSeries {
  /** Name, value, name, value …, sorted by name, with `__name__`. */
  readonly labels: readonly string[];
  readonly metric: string;
  readonly kind: MetricKind; // of its family
  readonly timestampsMs: Float64Array; // shared by the series of a target
  readonly values: Float64Array; // NaN where the scrape was lost
}

export const clusterNameOf = (cluster: number) => `cluster-${padded(cluster, 3)}`;

/** The family that a series of a classic histogram belongs to. */
export const familyOf = ({ metric, kind }: ReferenceSeries) =>
  kind === "histogram" ? metric.replace(/_(bucket|sum|count)$/, "") : metric;

const modes = [
  ["idle", 0.72],
  ["user", 0.16],
  ["system", 0.07],
  ["iowait", 0.02],
  ["irq", 0],
  ["softirq", 0.02],
  ["steal", 0.01],
  ["nice", 0],
] as const;
const namespaces = [
  "kube-system",
  "monitoring",
  "ingress-nginx",
  "cert-manager",
  "logging",
  "payments",
  "checkout",
  "catalog",
  "search",
  "identity",
  "batch",
  "platform",
];
const phases = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];
const verbs = ["GET", "LIST", "WATCH", "POST", "PUT", "PATCH"];
const codes = [
  ["200", 8],
  ["404", 0.2],
  ["500", 0.003],
] as const;
const resources = ["pods", "nodes", "configmaps", "secrets", "leases", "endpointslices"];
const bounds = [
  ["0.005", 0.2],
  ["0.01", 0.22],
  ["0.025", 0.2],
  ["0.05", 0.13],
  ["0.1", 0.1],
  ["0.25", 0.07],
  ["0.5", 0.04],
  ["1", 0.02],
  ["2.5", 0.01],
  ["5", 0.006],
  ["10", 0.003],
  ["+Inf", 0.001],
] as const;
const handlers = [
  "/",
  "/api/v1/items",
  "/api/v1/orders",
  "/api/v1/users",
  "/api/v1/search",
  "/healthz",
  "/login",
  "/cart",
  "/static",
  "/graphql",
];
const nodeCount = 5;
const cpuCount = 4;
const podCount = 50;
const gibibyte = 2 ** 30;

const padded = (value: number | string, width: number) => String(value).padStart(width, "0");

/** External labels that all replicas of a cluster share, beside its name. */
export function placeOf(cluster: number): Readonly<Record<string, string>> {
  if (cluster <= 180) return { cluster_group: "group-a", region: `a${String(1 + Math.floor((cluster - 1) / 60))}` };
  const group = cluster <= 200 ? "group-b" : cluster <= 210 ? "group-c" : "group-d";
  return { cluster_group: group, region: "bcd" };
}

function hashOf(text: string): number {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Uniform in [0, 1). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Target {
  readonly job: string;
  readonly instance: string;
  readonly timestampsMs: Float64Array;
  readonly missed: Uint8Array;
}

/** All series of one cluster, numbered from 1. */
export function referenceCluster(cluster: number, options: FleetOptions = referenceFleet): ReferenceSeries[] {
  const { samples, startMs, intervalMs } = options;
  const name = clusterNameOf(cluster);
  const clusterLabels = { cluster: name, ...placeOf(cluster), replica: options.replica };
  const seconds = intervalMs / 1000;
  const random = randomFrom(hashOf(`${name}/${options.replica}`));
  const series: ReferenceSeries[] = [];
  const targets: Target[] = [];

  const gauss = () => {
    let sum = 0;
    for (let i = 0; i < 6; i++) sum += random();
    return (sum - 3) * 1.41421356;
  };
  const poisson = (mean: number) => {
    if (mean <= 0) return 0;
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * gauss()));
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = random(); product > limit; product *= random()) count++;
    return count;
  };
  const daily = (i: number) => 1 + 0.3 * Math.sin(((startMs / 1000 + i * seconds) / 86400) * 2 * Math.PI);
  const constant = (value: number) => new Float64Array(samples).fill(value);
  const walk = (start: number, step: number, quantum: number, least: number, most: number) => {
    const values = new Float64Array(samples);
    let at = start;
    for (let i = 0; i < samples; i++) {
      at = Math.min(most, Math.max(least, at + step * gauss()));
      const inverse = Math.round(1 / quantum);
      values[i] = quantum < 1 ? Math.round(at * inverse) / inverse : Math.round(at / quantum) * quantum;
    }
    return values;
  };
  /** Adds up what `next` gives; about one in a hundred restarts once. */
  const counter = (start: number, next: (i: number) => number, quantum?: number) => {
    const values = new Float64Array(samples);
    const restart = random() < 0.01 ? Math.floor(random() * samples) : -1;
    let at = start;
    for (let i = 0; i < samples; i++) {
      if (i === restart) at = 0;
      at += next(i);
      values[i] = quantum === undefined ? at : Math.round(at * quantum) / quantum;
    }
    return values;
  };
  const addTarget = (job: string, instance: string): Target => {
    const offsetMs = hashOf(`${name}/${job}/${instance}`) % intervalMs;
    const timestampsMs = new Float64Array(samples);
    const missed = new Uint8Array(samples);
    for (let i = 0; i < samples; i++) {
      let timestampMs = startMs + i * intervalMs + offsetMs;
      if (random() < options.jitterShare) timestampMs += 3 + Math.floor(random() * 18);
      timestampsMs[i] = Math.min(timestampMs, startMs + (i + 1) * intervalMs - 1);
      missed[i] = random() < options.missedShare ? 1 : 0;
    }
    const target = { job, instance, timestampsMs, missed };
    targets.push(target);
    return target;
  };
  const add = (
    { job, instance, timestampsMs, missed }: Target,
    kind: MetricKind,
    metric: string,
    own: Readonly<Record<string, string>>,
    values: Float64Array,
  ) => {
    const all: Readonly<Record<string, string>> = { __name__: metric, ...clusterLabels, job, instance, ...own };
    const labels = Object.keys(all)
      .sort()
      .flatMap((label) => [label, all[label] ?? ""]);
    if (metric !== "up") missed.forEach((isMissed, i) => (isMissed === 1 ? (values[i] = NaN) : 0));
    series.push({ labels, metric, kind, timestampsMs, values });
  };

  const nodeTargets: Target[] = [];
  const kubeletTargets: Target[] = [];
  for (let node = 0; node < nodeCount; node++) {
    const address = `10.${String(cluster)}.0.${String(10 + node)}`;
    nodeTargets.push(addTarget("node-exporter", `${address}:9100`));
    kubeletTargets.push(addTarget("kubelet", `${address}:10250`));
  }
  const apiTarget = addTarget("apiserver", `10.${String(cluster)}.0.1:6443`);
  const stateTarget = addTarget("kube-state-metrics", `10.${String(cluster)}.1.7:8080`);
  const appTargets = [20, 21, 22, 23].map((host) => addTarget("app", `10.${String(cluster)}.2.${String(host)}:8080`));

  nodeTargets.forEach((target, node) => {
    for (let cpu = 0; cpu < cpuCount; cpu++) {
      for (const [mode, modeShare] of modes) {
        const share = modeShare * (0.7 + 0.6 * random());
        const next = (i: number) =>
          share === 0 ? 0 : Math.max(0, share * seconds * (mode === "idle" ? 1 : daily(i)) * (1 + 0.2 * gauss()));
        const values = counter(share * 2e6 * random(), next, 100);
        add(target, "counter", "node_cpu_seconds_total", { cpu: String(cpu), mode }, values);
      }
    }
    for (const [what, values] of [
      ["MemTotal", constant(31.2 * gibibyte - node * 4096)],
      ["MemAvailable", walk(14 * gibibyte, 40e6, 4096, 2 * gibibyte, 28 * gibibyte)],
      ["MemFree", walk(4 * gibibyte, 40e6, 4096, gibibyte, 8 * gibibyte)],
      ["Cached", walk(8 * gibibyte, 10e6, 4096, gibibyte, 12 * gibibyte)],
      ["Buffers", walk(0.3 * gibibyte, 1e5, 4096, 1e6, gibibyte)],
      ["Slab", walk(gibibyte, 1e6, 4096, 1e8, 2 * gibibyte)],
    ] as const) {
      add(target, "gauge", `node_memory_${what}_bytes`, {}, values);
    }
    add(target, "gauge", "node_load1", {}, walk(2, 0.2, 0.01, 0, 12));
    for (const [device, mountpoint] of [
      ["/dev/nvme0n1p1", "/"],
      ["/dev/nvme1n1", "/var/lib/containerd"],
    ] as const) {
      const own = { device, fstype: "xfs", mountpoint };
      const available = walk(80 * gibibyte, 2e6, 4096, gibibyte, 100 * gibibyte);
      add(target, "gauge", "node_filesystem_avail_bytes", own, available);
      add(target, "gauge", "node_filesystem_size_bytes", own, constant(107321753600));
    }
    for (const device of ["eth0", "cni0"]) {
      for (const direction of ["receive", "transmit"]) {
        const mean = 2e7 * (0.2 + random());
        const next = (i: number) => Math.max(0, Math.round(mean * daily(i) * (1 + 0.3 * gauss())));
        const values = counter(Math.floor(random() * 1e12), next);
        add(target, "counter", `node_network_${direction}_bytes_total`, { device }, values);
      }
    }
  });

  for (let podNumber = 0; podNumber < podCount; podNumber++) {
    const namespace = namespaces[podNumber % namespaces.length] ?? "";
    const node = podNumber % nodeCount;
    const hash = hashOf(`${name}/pod/${String(podNumber)}`);
    const owner = `${namespace.split("-")[0] ?? ""}-svc${String(Math.floor(podNumber / namespaces.length))}`;
    const pod = `${owner}-${hash.toString(36)}-${(hash ^ 0x5bd1e995).toString(36).slice(-5)}`;
    const uidTail = padded((Math.imul(hash, 40503) >>> 0).toString(16), 12);
    const uid = `${padded(hash.toString(16), 8)}-4f1a-4c3e-9d2b-${uidTail}`;
    const kubelet = kubeletTargets[node] as Target;
    for (const container of ["main", "istio-proxy"]) {
      const version = `${String(1 + (hash % 9))}.${String(hash % 23)}`;
      const image =
        container === "main" ? `registry.example.com/${namespace}/svc:${version}` : "docker.io/istio/proxyv2:1.24.1";
      const own = { container, image, namespace, node: `node-${String(node)}`, pod };
      const load = (container === "main" ? 0.4 : 0.03) * random();
      const next = (i: number) => Math.max(0, load * seconds * daily(i) * (1 + 0.3 * gauss()));
      const used = counter(random() * 1e5, next, 1e9);
      add(kubelet, "counter", "container_cpu_usage_seconds_total", { ...own, cpu: "total" }, used);
      const resident = walk(2e8 * (0.2 + random()), 1e6, 4096, 1e7, 2e9);
      add(kubelet, "gauge", "container_memory_working_set_bytes", own, resident);
    }
    for (const phase of phases) {
      const isPhase = constant(phase === "Running" ? 1 : 0);
      add(stateTarget, "gauge", "kube_pod_status_phase", { namespace, phase, pod, uid }, isPhase);
    }
    const info = {
      created_by_kind: "ReplicaSet",
      host_ip: `10.${String(cluster)}.0.${String(10 + node)}`,
      namespace,
      node: `node-${String(node)}`,
      pod,
      uid,
    };
    add(stateTarget, "gauge", "kube_pod_info", info, constant(1));
  }

  for (const verb of verbs) {
    for (const [code, weight] of codes) {
      for (const resource of resources) {
        const mean = seconds * weight * (0.3 + random());
        const values = counter(Math.floor(random() * 1e6), (i) => poisson(mean * daily(i)));
        add(apiTarget, "counter", "apiserver_request_total", { code, resource, verb }, values);
      }
    }
  }

  handlers.forEach((handler, k) => {
    const target = appTargets[k % appTargets.length] as Target;
    const mean = seconds * 40 * random() * random() + 1;
    const own = { handler, service: `svc-${String(k % appTargets.length)}` };
    const cumulative = new Float64Array(samples);
    const sum = new Float64Array(samples);
    let below = 0;
    for (const [le, share] of bounds) {
      let count = Math.floor(random() * 1e5 * share);
      const middle = ((le === "+Inf" ? 15 : Number(le)) + below) / 2;
      below = le === "+Inf" ? below : Number(le);
      for (let i = 0; i < samples; i++) {
        count += poisson(mean * share * daily(i));
        cumulative[i] = (cumulative[i] ?? 0) + count;
        sum[i] = (sum[i] ?? 0) + count * middle * (0.999 + 0.000001 * i);
      }
      const bucket = { ...own, le };
      add(target, "histogram", "http_request_duration_seconds_bucket", bucket, Float64Array.from(cumulative));
    }
    add(target, "histogram", "http_request_duration_seconds_sum", own, sum);
    add(target, "histogram", "http_request_duration_seconds_count", own, Float64Array.from(cumulative));
  });

  for (const target of targets) {
    add(
      target,
      "gauge",
      "up",
      {},
      Float64Array.from(target.missed, (isMissed) => 1 - isMissed),
    );
  }
  return series;
}

/** Lines of OpenMetrics text, family after family, in pieces of some MiB. */
export function* openMetricsOf(clusters: readonly (readonly ReferenceSeries[])[]): Generator<string> {
  const families = new Map<string, { readonly kind: MetricKind; readonly series: ReferenceSeries[] }>();
  for (const cluster of clusters) {
    for (const one of cluster) {
      const family = familyOf(one);
      const held = families.get(family);
      if (held === undefined) families.set(family, { kind: one.kind, series: [one] });
      else held.series.push(one);
    }
  }
  const times = new Map<Float64Array, readonly string[]>();
  let text = "";
  for (const [family, { kind, series }] of families) {
    text += `# TYPE ${kind === "counter" ? family.replace(/_total$/, "") : family} ${kind}\n`;
    for (const { labels, metric, timestampsMs, values } of series) {
      let timeTexts = times.get(timestampsMs);
      if (timeTexts === undefined) {
        timeTexts = Array.from(timestampsMs, (timestampMs) => (timestampMs / 1000).toFixed(3));
        times.set(timestampsMs, timeTexts);
      }
      const pairs: string[] = [];
      for (let i = 0; i < labels.length; i += 2) {
        const value = (labels[i + 1] ?? "").replace(/[\\"]/g, "\\$&");
        if (labels[i] !== "__name__") pairs.push(`${labels[i] ?? ""}="${value}"`);
      }
      const head = `${metric}{${pairs.join(",")}} `;
      values.forEach((value, i) => {
        if (!Number.isNaN(value)) text += `${head}${String(value)} ${timeTexts[i] ?? ""}\n`;
      });
      if (text.length > 4 * 1024 * 1024) {
        yield text;
        text = "";
      }
    }
  }
  yield `${text}# EOF\n`;
}
