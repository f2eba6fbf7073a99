/** Object storage: whether it survives a node, whether clusters reach it, and who may write to it. */
import type { FindingRule, LintSubject, Fault } from "../finding-rule.ts";
import { remove, set } from "../finding-rule.ts";

const own = ({ fleet }: LintSubject) => fleet.roles.find(({ key }) => key === "object-store");

/** Hosts that a distributed store needs before it can lose one and still know which copy is right. */
const storeNodesMin = 3;

export const objectStorageRules: readonly FindingRule[] = [
  {
    code: "object-store-on-one-node",
    severity: "high",
    title: "The fleet's own object storage runs on fewer nodes than it needs to lose one.",
    why: "All history is in the bucket. One disk or node that dies takes all of it, and every upload waits until it is back.",
    find: (subject) => {
      const role = own(subject);
      const { objectStorage } = subject.fleet;
      if (role === undefined || objectStorage === undefined) return [];
      const nodes = new Set(subject.plan.roles.filter(({ kind }) => kind === "object-store").map(({ node }) => node));
      if (nodes.size >= storeNodesMin) return [];
      return [
        {
          path: ["roles", "object-store"],
          found: `the bucket is on ${nodes.size === 1 ? "one node" : `${nodes.size} nodes`}: ${[...nodes].join(", ")}`,
          instead: `at least ${storeNodesMin} replicas on different nodes, or objectStorage.kind: external`,
          edits: [
            remove(["roles", "object-store", "on"]),
            set(["roles", "object-store"], {
              replicas: storeNodesMin,
              cpu: 2,
              memory: "4Gi",
              tiers: [1, 2, 3],
            }),
          ],
        },
      ];
    },
  },
  {
    code: "object-store-unmaintained",
    severity: "high",
    title: "MinIO's free edition is not maintained any more.",
    why: "Its repository is archived, known holes stay open, and its public images were removed: a node that does not have the image yet cannot start it.",
    find: ({ fleet: { objectStorage } }) =>
      objectStorage?.kind === "minio"
        ? [
            {
              path: ["objectStorage", "kind"],
              found: "kind is minio, which gets no fixes and has no public image",
              instead: "kind: seaweedfs, rook or external; silo is a maintained fork that reads MinIO's disks",
              edits: [set(["objectStorage", "kind"], "seaweedfs")],
            },
          ]
        : [],
  },
  {
    code: "object-store-unreachable",
    severity: "high",
    title: "Clusters are told an address of object storage that only resolves inside the monitoring cluster.",
    why: "A name such as minio.storage is one of cluster DNS. Sidecars run in other clusters: none of them could upload.",
    find: ({ fleet }) => {
      const host = hostOf(fleet.objectStorage?.endpoint);
      if (host === undefined || !isClusterLocal(host) || fleet.clusters.length === 0) return [];
      return [
        {
          path: ["objectStorage", "endpoint"],
          found: `${host} resolves inside one Kubernetes cluster, and ${fleet.clusters.length} clusters upload to it`,
          instead: "a name that all clusters resolve, such as https://s3.example.com",
          edits: [remove(["objectStorage", "endpoint"])],
        },
      ];
    },
  },
  {
    code: "object-store-plaintext",
    severity: "high",
    title: "Object storage is spoken to without TLS.",
    why: "Blocks and signed requests cross the networks of all clusters readable by anyone on the way.",
    find: ({ fleet: { objectStorage } }) =>
      objectStorage?.endpoint?.startsWith("http://") === true
        ? [
            {
              path: ["objectStorage", "endpoint"],
              found: `the endpoint is ${objectStorage.endpoint}`,
              instead: "an https endpoint",
              edits: [remove(["objectStorage", "endpoint"])],
            },
          ]
        : [],
  },
  {
    code: "object-store-root-credentials",
    severity: "high",
    title: "Every cluster holds the root credentials of object storage.",
    why: "Whoever reads one cluster's Secret can read and delete the history of all clusters.",
    find: ({ fleet }) =>
      fleet.deployment?.objectStorage.credentials === "shared-root"
        ? [
            {
              path: ["deployment", "objectStorage", "credentials"],
              found: `${fleet.clusters.length} clusters share the root credentials`,
              instead: "credentials: per-cluster, each allowed to write below its own prefix",
              edits: [remove(["deployment", "objectStorage", "credentials"])],
            },
          ]
        : [],
  },
  {
    code: "object-store-on-host-path",
    severity: "high",
    title: "Object storage keeps its data in a folder of one host.",
    why: "A pod that comes back on another host finds an empty folder, and nothing limits or replicates what is in it.",
    find: ({ fleet }) =>
      fleet.deployment?.objectStorage.volume === "host-path"
        ? [
            {
              path: ["deployment", "objectStorage", "volume"],
              found: "the volume is a host path",
              instead: "volume: persistent",
              edits: [remove(["deployment", "objectStorage", "volume"])],
            },
          ]
        : [],
  },
  {
    code: "image-not-pinned",
    severity: "high",
    title: "An image is named without a version.",
    why: "What runs after a restart is not what ran before it, on one node and not on another; and the tag may be gone.",
    find: ({ fleet }) => {
      const image = fleet.deployment?.objectStorage.image;
      if (image === undefined || isPinned(image)) return [];
      const fault: Fault = {
        path: ["deployment", "objectStorage", "image"],
        found: `${image} is whatever the registry has at that moment`,
        instead: "a tag with a version, best with its digest",
        edits: [remove(["deployment", "objectStorage", "image"])],
      };
      return [fault];
    },
  },
];

function isPinned(image: string): boolean {
  if (image.includes("@sha256:")) return true;
  const tag = /:([^:/]+)$/.exec(image)?.[1];
  return tag !== undefined && tag !== "latest";
}

function hostOf(endpoint: string | undefined): string | undefined {
  if (endpoint === undefined) return undefined;
  return endpoint.replace(/^[a-z0-9+]+:\/\//, "").replace(/[:/].*$/, "");
}

/** `service.namespace`, with or without `.svc.cluster.local`: two labels are never a public host with a known suffix. */
function isClusterLocal(host: string): boolean {
  if (/\.svc(?:\.cluster\.local)?$/.test(host)) return true;
  const labels = host.split(".");
  return labels.length <= 2 && !/^\d+$/.test(labels[0] ?? "") && !publicSuffix.test(host);
}

const publicSuffix = /\.(?:com|org|net|io|dev|cloud|app|eu|[a-z]{2})$/;
