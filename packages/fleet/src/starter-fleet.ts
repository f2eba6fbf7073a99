/** A fleet file to start from: commented, with roles sized by the model, and of as many nodes as it takes. */
import { fail, ok, type Result } from "@pleiad/model";
import { capacityOf } from "./capacity-load.ts";
import { readFleet } from "./fleet-file.ts";
import { lossesWithoutRoom } from "./lost-nodes.ts";
import { planFleet } from "./planner.ts";
import type { FleetFailure } from "./problems.ts";

export interface StarterAnswers {
  readonly name: string;
  readonly clusters: string; // a range such as `cluster-{001..040}`
  readonly series: string; // of one cluster, as the file writes it, such as `50k`
  readonly scrapeInterval: string;
  readonly nodes: number | undefined; // undefined = as few as hold the plan
  readonly cores: string; // of one node, as the next three
  readonly memory: string;
  readonly disk: string;
  readonly network: string;
  readonly storage: "external" | "seaweedfs";
  readonly endpoint: string | undefined; // of external storage
}

export const defaultAnswers: StarterAnswers = {
  name: "fleet",
  clusters: "cluster-{001..040}",
  series: "50k",
  scrapeInterval: "30s",
  nodes: undefined,
  cores: "16",
  memory: "32Gi",
  disk: "500Gi",
  network: "10Gbit/s",
  storage: "external",
  endpoint: undefined,
};

const nodesLeast = 4;
const nodesMost = 1000;

/** The text of a file that plans. Fails with what is wrong with the answers, or with the nodes that were asked for. */
export function starterFleet(answers: StarterAnswers): Result<string, FleetFailure> {
  const counts = answers.nodes === undefined ? growingCounts() : [answers.nodes];
  let failure: FleetFailure | undefined;
  let tight: Result<string, FleetFailure> | undefined; // the first that plans
  for (const nodes of counts) {
    const text = textOf(answers, nodes);
    if (!text.ok) return text;
    const fleet = readFleet(text.value, starterFileName);
    if (!fleet.ok) return fleet;
    const plan = planFleet(fleet.value);
    if (plan.ok) tight ??= text;
    else ({ failure } = plan);
    // Room for what a lost node had is worth a node more.
    if (plan.ok && lossesWithoutRoom(fleet.value, plan.value).length === 0) return text;
  }
  if (tight !== undefined) return tight;
  if (failure === undefined) throw new Error("no number of nodes to try");
  return fail(failure);
}

const starterFileName = "fleet.yaml";

function growingCounts(): readonly number[] {
  const counts: number[] = [];
  for (let nodes = nodesLeast; nodes <= nodesMost; nodes = Math.ceil(nodes * 1.15)) counts.push(nodes);
  return counts;
}

const gibibyte = 2 ** 30;
const tebibyte = 2 ** 40;

interface StarterSizes {
  readonly bucket: string;
  readonly compactorDisk: string;
}

/** The text, with disks a third larger than what the model says they will hold. */
function textOf(answers: StarterAnswers, nodes: number): Result<string, FleetFailure> {
  const draft = readFleet(draftOf(answers, nodes, { bucket: "1Pi", compactorDisk: "1Gi" }), starterFileName);
  if (!draft.ok) return draft;
  const { fleet } = capacityOf(draft.value);
  const roomy = (name: string, unit: number) => Math.max(1, Math.ceil((fleet.figure(name).value * 1.33) / unit));
  const compactorDisk = `${Math.max(50, roomy("compactor.disk", gibibyte))}Gi`;
  return ok(draftOf(answers, nodes, { bucket: `${roomy("bucket.bytes", tebibyte)}Ti`, compactorDisk }));
}

function draftOf(answers: StarterAnswers, nodes: number, sizes: StarterSizes): string {
  const { name, clusters, series, scrapeInterval, cores, memory, disk, network, storage, endpoint } = answers;
  const globalNodes = Math.max(2, Math.round(nodes / 4));
  const digits = String(nodes).length;
  const node = (i: number) => {
    const tier = i < globalNodes ? "tier: 1, role: global" : "tier: 2, role: regional";
    const number = String(i + 1).padStart(digits, "0");
    return `  node-${number}: { ${tier}, cores: ${cores}, memory: ${memory}, disk: ${disk}, network: ${network} }`;
  };
  const own = storage === "seaweedfs";
  return `# A fleet, written by \`pleiad init\`. Every key is explained in docs/guide/fleet-file.md.
# \`pleiad plan\` shows what comes out, \`pleiad lint\` what is wrong or risky, \`pleiad explain\` where a figure comes from.

version: 1 # of this file's format
name: ${name}
engine: thanos # whose needs the capacity model tells
queryMode: distributed # regions evaluate what they can, so that aggregates travel and not all series

# What a group may change for its own clusters.
defaults:
  scrapeInterval: ${scrapeInterval}
  retention: 48h # kept by each cluster itself, and so the longest outage of object storage that loses nothing
  prometheusReplicas: 2 # so that a cluster answers while one of them restarts
  ingest: pull # a sidecar is asked and uploads; push: the cluster writes to a receiver of its region

# Labels that only tell replicas of the same data apart, the same for every querier.
replicaLabels: [replica, ruler_replica]

# Rules that a plan must keep.
policies:
  clustersPerRegionMax: 60 # what one regional querier can serve
  reserve: { cpu: 500m, memory: 1Gi } # of each node, for its own system
  headroom: 0.1 # share of the rest that stays free
  nodesLostMax: 1 # so many nodes may be lost at once, and every role is still there

# The monitoring nodes. Tier 1 has what is global, tier 2 what belongs to a region. Nodes that may fail together, in one
# rack or one site, get the same \`zone\`.
nodes:
${Array.from({ length: nodes }, (_, i) => node(i)).join("\n")}

# The clusters that are watched, in groups of one kind. \`series\` is what one cluster has active at once.
groups:
  all:
    clusters: ${JSON.stringify(clusters)}
    importance: medium
    series: ${series}

# Without \`regions\` the clusters are cut into region-1, region-2 and so on, as many in each as policies allow.

# What runs on the nodes. Without cpu and memory a role is as large as the capacity model says. Regional roles have their
# replicas in every region.
roles:
  query-frontend: { replicas: 2 } # splits and caches; dashboards ask here
  global-querier: { replicas: 2 } # asks the regions, merges, deduplicates
  regional-querier: { replicas: 2 } # asks the clusters of its region
  leaf-querier: { replicas: 2 } # asks what has no region, for the global ones: in distributed mode they ask queriers alone
  regional-store-gateway: { replicas: 2 } # history of its region from object storage
  global-store-gateway: { replicas: 2 } # history that has no region: of rulers and of the agent below
  compactor: { replicas: 1, disk: ${sizes.compactorDisk}, tiers: [1, 2] } # never two at once on the same blocks
  ruler: { replicas: 2 } # rules over several clusters; the others belong into the clusters
  alertmanager: { replicas: 3, tiers: [1, 2] }
  grafana: { replicas: 2 }
${own ? `  object-store: { replicas: 3, tiers: [1, 2] } # a copy of everything on a second server\n` : ""}  monitoring-agent: { replicas: 2 } # scrapes all of the above

# What people and rules ask. \`series\` and \`range\` are those of a large query.
queryLoad:
  perSecond: 5
  concurrent: 20
  series: 20k
  range: 6h

objectStorage:
  kind: ${storage}${endpoint === undefined ? "" : `\n  endpoint: ${endpoint}`}
  bucket: ${name}
  capacity: ${sizes.bucket}
  # By resolution. Raw samples are many: \`pleiad explain bucket.bytes\` shows what each day of them costs.
  retention: { raw: 30d, 5m: 180d, 1h: 1y }
  discovery: recursive # blocks are found by listing, not by a request for each
  deduplicate: true # replicas are merged when their blocks are compacted
`;
}
