/**
 * A made-up Kubernetes cluster: the series that node-exporter, kube-state-metrics, cAdvisor, an API server and a few
 * applications would have, with values that move as real ones do. Every value is a pure function of cluster and time, so
 * that a page scraped now continues what was back-filled, and a restart of the twin changes nothing.
 */
import { labelsFromRecord, metricNameLabel, type Labels } from "@pleiad/model";

export interface MadeUpClusterOptions {
  readonly name: string;
  readonly number: number; // 1..; decides addresses and all randomness
  readonly seriesCount: number; // how many series the page has, at least 120
}

/** The instants at which values are wanted, with what all series share of them. */
export interface TimeColumn {
  readonly timestampsMs: Float64Array;
  readonly day: Float64Array; // cos of the time of day, one a timestamp
}

interface Shape {
  /** The value at instant `i`. Pure; counters never fall but where their process restarted. */
  at(times: TimeColumn, i: number): number;
}

export interface MadeUpSeries {
  readonly labels: Labels; // as on the page, `job` and `instance` among them
  readonly family: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly shape: Shape;
}

export interface MadeUpCluster {
  readonly name: string;
  readonly series: readonly MadeUpSeries[]; // families together, in the order of the page
}

export function timeColumn(timestampsMs: Float64Array): TimeColumn {
  const day = new Float64Array(timestampsMs.length);
  for (let i = 0; i < day.length; i++) day[i] = Math.cos(dayAngle(timestampsMs[i] as number));
  return { timestampsMs, day };
}

/** Writes the values of one series at all instants into `out` from `from`. */
export function fillValues(series: MadeUpSeries, times: TimeColumn, out: Float64Array, from: number): void {
  const { shape } = series;
  for (let i = 0; i < times.timestampsMs.length; i++) out[from + i] = shape.at(times, i);
}

const dayMs = 86_400_000;
const noiseStepMs = 15_000;
const waveStepMs = 1_200_000;

function dayAngle(timestampMs: number): number {
  return ((timestampMs % dayMs) / dayMs) * 2 * Math.PI;
}

function mix(a: number, b: number): number {
  let h = Math.imul(a ^ b, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash, 0x5bd1e995);
}

const unit = (hash: number) => hash / 4_294_967_296;

/** Noise in [0, 1) that is continuous in time: a random value every `stepMs`, straight lines between. */
function noise(seed: number, timestampMs: number, stepMs: number): number {
  const position = timestampMs / stepMs;
  const step = Math.floor(position);
  const low = unit(mix(seed, step | 0));
  return low + (unit(mix(seed, (step + 1) | 0)) - low) * (position - step);
}

const constant = (value: number): Shape => ({ at: () => value });

/**
 * A counter that grows by `perSecond` on average, more by day than by night, in waves of about half an hour, with noise,
 * and begins anew when its process restarts. It never falls otherwise: the day takes at most 0.3 of the rate away, the
 * waves 0.35 and the noise 0.25.
 */
function counter(seed: number, process: number, perSecond: number, quantum: number): Shape {
  const lifeMs = (18 + 60 * unit(mix(process, 11))) * 3_600_000;
  const phaseMs = unit(mix(process, 12)) * lifeMs;
  const swing = 0.3;
  const perMs = perSecond / 1000;
  const wavePart = perMs * waveStepMs * 0.35;
  const noisePart = perMs * noiseStepMs * 0.25;
  const wave = mix(process, 13);
  const dayPart = (swing * dayMs) / (2 * Math.PI);
  return {
    at: (times, i) => {
      const timestampMs = times.timestampsMs[i] as number;
      const ageMs = (timestampMs + phaseMs) % lifeMs;
      const startCos = Math.cos(dayAngle(timestampMs - ageMs));
      const grown = perMs * (ageMs + dayPart * (startCos - (times.day[i] as number)));
      const moved = wavePart * noise(wave, timestampMs, waveStepMs) + noisePart * noise(seed, timestampMs, noiseStepMs);
      return Math.floor((grown + moved) / quantum) * quantum;
    },
  };
}

/** Like `counter`, floored to hundredths: the way kernels count seconds of processor time. */
function secondsCounter(seed: number, process: number, share: number): Shape {
  const ticks = counter(seed, process, share * 100, 1);
  return { at: (times, i) => ticks.at(times, i) / 100 };
}

/** A level that wanders around `mean` by up to `spread` of it, following the day a little. */
function gauge(seed: number, mean: number, spread: number, quantum: number): Shape {
  const dayShare = 0.3 * (unit(mix(seed, 21)) - 0.5);
  const inverse = quantum < 1 ? Math.round(1 / quantum) : 0;
  return {
    at: (times, i) => {
      const timestampMs = times.timestampsMs[i] as number;
      const slow = noise(seed, timestampMs, 1_800_000) - 0.5;
      const fast = noise(mix(seed, 22), timestampMs, noiseStepMs * 4) - 0.5;
      const value = mean * (1 + spread * (1.4 * slow + 0.4 * fast + dayShare * (times.day[i] as number)));
      return inverse > 0 ? Math.round(value * inverse) / inverse : Math.round(value / quantum) * quantum;
    },
  };
}

const bucketBounds = [
  "0.005",
  "0.01",
  "0.025",
  "0.05",
  "0.1",
  "0.25",
  "0.5",
  "1.0",
  "2.5",
  "5.0",
  "10.0",
  "+Inf",
] as const;
// Share of the requests that fall into each bucket alone.
const fastShare = [0.2, 0.22, 0.22, 0.16, 0.1, 0.06, 0.025, 0.01, 0.004, 0.0006, 0.0003, 0.0001] as const;
const slowShare = [0, 0, 0.01, 0.03, 0.06, 0.18, 0.24, 0.24, 0.17, 0.05, 0.015, 0.005] as const;

/**
 * Cumulative buckets over a fast and a slow kind of request whose shares change over the day. Each bucket counts its own
 * requests, whole ones, so that over any span a bucket grows by no less than the one below it.
 */
function latencyBuckets(seed: number, process: number, perSecond: number): readonly Shape[] {
  const fast = counter(mix(seed, 31), process, perSecond, 1);
  const slow = counter(mix(seed, 32), process, perSecond * 0.06, 1);
  return bucketBounds.map((_, bucket) => ({
    at: (times, i) => {
      const fastCount = fast.at(times, i);
      const slowCount = slow.at(times, i);
      let count = 0;
      for (let b = 0; b <= bucket; b++) {
        count += Math.floor(fastCount * (fastShare[b] as number)) + Math.floor(slowCount * (slowShare[b] as number));
      }
      return count;
    },
  }));
}

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
] as const;
const phases = ["Pending", "Running", "Succeeded", "Failed", "Unknown"] as const;
const verbs = ["GET", "LIST", "WATCH", "POST", "PUT", "PATCH"] as const;
const codes = ["200", "404", "500"] as const;
const resources = ["pods", "nodes", "configmaps", "secrets", "leases", "endpointslices"] as const;
const handlers = [
  "/",
  "/api/v1/items",
  "/api/v1/orders",
  "/api/v1/users",
  "/healthz",
  "/login",
  "/cart",
  "/graphql",
] as const;
const cpuModes = [
  ["idle", 0.72],
  ["user", 0.16],
  ["system", 0.07],
  ["iowait", 0.02],
  ["softirq", 0.02],
  ["steal", 0.01],
  ["irq", 0],
  ["nice", 0],
] as const;
const gibibyte = 2 ** 30;

interface FamilyHead {
  readonly family: string;
  readonly type: MadeUpSeries["type"];
  readonly help: string;
}

/** Makes a cluster of exactly `seriesCount` series, the same for the same options on any machine. */
export function makeUpCluster(options: MadeUpClusterOptions): MadeUpCluster {
  const { name, number } = options;
  const seriesCount = Math.max(120, options.seriesCount);
  const seed = hashText(name);
  const nodeCount = Math.max(1, Math.round(seriesCount / 210));
  const resourceCount = Math.min(resources.length, Math.max(1, Math.round(seriesCount / 160)));
  const handlerCount = Math.min(handlers.length, Math.max(1, Math.round(seriesCount / 120)));
  const families = new Map<string, { readonly head: FamilyHead; readonly series: MadeUpSeries[] }>();
  let count = 0;

  const add = (head: FamilyHead, metric: string, labels: Readonly<Record<string, string>>, shape: Shape) => {
    let group = families.get(head.family);
    if (group === undefined) {
      group = { head, series: [] };
      families.set(head.family, group);
    }
    group.series.push({ ...head, labels: labelsFromRecord({ [metricNameLabel]: metric, ...labels }), shape });
    count++;
  };
  const seedOf = (...parts: readonly (string | number)[]) => hashText(`${name}/${parts.join("/")}`);
  const octet = number % 256;

  for (let n = 0; n < nodeCount; n++) {
    const process = seedOf("node", n);
    const target = { job: "node-exporter", instance: `10.${octet}.0.${10 + n}:9100`, node: `${name}-node-${n}` };
    const cpuHead = {
      family: "node_cpu_seconds_total",
      type: "counter",
      help: "Seconds the CPUs spent in each mode.",
    } as const;
    for (let cpu = 0; cpu < 4; cpu++) {
      for (const [mode, share] of cpuModes) {
        const own = seedOf("cpu", n, cpu, mode);
        const rate = share * (0.7 + 0.6 * unit(own));
        add(cpuHead, cpuHead.family, { ...target, cpu: String(cpu), mode }, secondsCounter(own, process, rate));
      }
    }
    for (const [field, mean, spread] of [
      ["MemTotal", 31.2, 0],
      ["MemAvailable", 14, 0.3],
      ["MemFree", 4, 0.4],
      ["Cached", 8, 0.1],
      ["Buffers", 0.3, 0.1],
      ["Slab", 1, 0.05],
    ] as const) {
      const family = `node_memory_${field}_bytes`;
      const shape =
        spread === 0
          ? constant(Math.floor(mean * gibibyte) - n * 4096)
          : gauge(seedOf(field, n), mean * gibibyte, spread, 4096);
      add({ family, type: "gauge", help: `Memory information field ${field}_bytes.` }, family, target, shape);
    }
    const load = { family: "node_load1", type: "gauge", help: "1m load average." } as const;
    add(load, load.family, target, gauge(seedOf("load", n), 2, 0.8, 0.01));
    for (const [device, mountpoint] of [
      ["/dev/nvme0n1p1", "/"],
      ["/dev/nvme1n1", "/var/lib/containerd"],
    ] as const) {
      const labels = { ...target, device, fstype: "xfs", mountpoint };
      const available = {
        family: "node_filesystem_avail_bytes",
        type: "gauge",
        help: "Filesystem space available to non-root users in bytes.",
      } as const;
      const size = { family: "node_filesystem_size_bytes", type: "gauge", help: "Filesystem size in bytes." } as const;
      add(available, available.family, labels, gauge(seedOf("disk", n, device), 60 * gibibyte, 0.1, 4096));
      add(size, size.family, labels, constant(107_321_753_600));
    }
    for (const device of ["eth0", "cni0"]) {
      for (const direction of ["receive", "transmit"]) {
        const family = `node_network_${direction}_bytes_total`;
        const own = seedOf(direction, n, device);
        add(
          { family, type: "counter", help: `Network device statistic ${direction}_bytes.` },
          family,
          { ...target, device },
          counter(own, process, 2e7 * (0.2 + unit(own)), 1),
        );
      }
    }
  }

  const api = { job: "apiserver", instance: `10.${octet}.0.1:6443` };
  const requests = {
    family: "apiserver_request_total",
    type: "counter",
    help: "Counter of apiserver requests broken out for each verb, resource and HTTP response code.",
  } as const;
  for (const resource of resources.slice(0, resourceCount)) {
    for (const verb of verbs) {
      for (const code of codes) {
        const own = seedOf("api", resource, verb, code);
        const rate = (code === "200" ? 8 : code === "404" ? 0.2 : 0.003) * (0.3 + unit(own));
        add(requests, requests.family, { ...api, code, resource, verb }, counter(own, seedOf("api"), rate, 1));
      }
    }
  }

  const latency = {
    family: "http_request_duration_seconds",
    type: "histogram",
    help: "Time from request to answer.",
  } as const;
  handlers.slice(0, handlerCount).forEach((handler, h) => {
    const labels = { job: "app", instance: `10.${octet}.2.${20 + (h % 4)}:8080`, handler, service: `svc-${h % 4}` };
    const own = seedOf("handler", handler);
    const buckets = latencyBuckets(own, seedOf("app", h % 4), 1 + 40 * unit(own) ** 2);
    const last = buckets.at(-1) as Shape;
    bucketBounds.forEach((le, b) => add(latency, `${latency.family}_bucket`, { ...labels, le }, buckets[b] as Shape));
    add(latency, `${latency.family}_sum`, labels, { at: (times, i) => Math.round(last.at(times, i) * 83) / 1000 });
    add(latency, `${latency.family}_count`, labels, last);
  });

  const podSeriesCount = 11;
  const podCount = Math.max(0, Math.floor((seriesCount - count) / podSeriesCount));
  const cpuUsage = {
    family: "container_cpu_usage_seconds_total",
    type: "counter",
    help: "Cumulative cpu time consumed in seconds.",
  } as const;
  const workingSet = {
    family: "container_memory_working_set_bytes",
    type: "gauge",
    help: "Current working set in bytes.",
  } as const;
  const podPhase = { family: "kube_pod_status_phase", type: "gauge", help: "The pod's current phase." } as const;
  const podInfo = { family: "kube_pod_info", type: "gauge", help: "Information about pod." } as const;
  const restarts = {
    family: "kube_pod_container_status_restarts_total",
    type: "counter",
    help: "The number of container restarts.",
  } as const;
  const stateMetrics = { job: "kube-state-metrics", instance: `10.${octet}.1.7:8080` };
  for (let p = 0; p < podCount; p++) {
    const namespace = namespaces[p % namespaces.length] as string;
    const n = p % nodeCount;
    const hash = seedOf("pod", p);
    const replica = hash.toString(36).padStart(7, "0").slice(-5);
    const pod = `${namespace.split("-")[0]}-svc${Math.floor(p / namespaces.length)}-${mix(hash, 1).toString(16).slice(0, 9)}-${replica}`;
    const node = `${name}-node-${n}`;
    const kubelet = { job: "kubelet", instance: `10.${octet}.0.${10 + n}:10250` };
    for (const container of ["main", "istio-proxy"]) {
      const labels = { ...kubelet, namespace, node, pod, container };
      const own = seedOf("container", p, container);
      const load = (container === "main" ? 0.4 : 0.03) * unit(own);
      add(cpuUsage, cpuUsage.family, { ...labels, cpu: "total" }, counterOfCores(own, hash, load));
      add(workingSet, workingSet.family, labels, gauge(mix(own, 2), 2e8 * (0.2 + unit(own)), 0.2, 4096));
    }
    for (const phase of phases) {
      add(podPhase, podPhase.family, { ...stateMetrics, namespace, pod, phase }, constant(phase === "Running" ? 1 : 0));
    }
    add(podInfo, podInfo.family, { ...stateMetrics, namespace, pod, node, created_by_kind: "ReplicaSet" }, constant(1));
    add(
      restarts,
      restarts.family,
      { ...stateMetrics, namespace, pod, container: "main" },
      counter(mix(hash, 3), hash, 0.00002, 1),
    );
  }
  const replicas = {
    family: "kube_deployment_status_replicas",
    type: "gauge",
    help: "The number of replicas per deployment.",
  } as const;
  for (let d = 0; count < seriesCount; d++) {
    const namespace = namespaces[d % namespaces.length] as string;
    add(
      replicas,
      replicas.family,
      { ...stateMetrics, namespace, deployment: `${namespace}-d${d}` },
      constant(1 + (mix(seed, d) % 5)),
    );
  }
  return { name, series: [...families.values()].flatMap((group) => group.series) };
}

function counterOfCores(seed: number, process: number, cores: number): Shape {
  const microseconds = counter(seed, process, cores * 1e6, 1);
  return { at: (times, i) => microseconds.at(times, i) / 1e6 };
}
