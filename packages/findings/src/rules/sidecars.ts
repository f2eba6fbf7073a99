/** The sidecars in the app clusters: whether they upload, whether queriers reach them, and who else does. */
import type { Fleet } from "@pleiad/fleet";
import { remove, type FindingRule } from "../finding-rule.ts";

const pulled = ({ clusters }: Fleet) => clusters.filter(({ ingest }) => ingest === "pull").length;

export const sidecarRules: readonly FindingRule[] = [
  {
    code: "sidecar-never-uploads",
    severity: "fatal",
    title: "The chart drops the sidecar's object storage configuration without a word.",
    why: "Since version 52.0 kube-prometheus-stack only renders objectStorageConfig.existingSecret or .secret. The old form gives no error: sidecars run, upload nothing, and history is lost once the local retention is over.",
    find: ({ fleet }) => {
      if (fleet.deployment?.sidecars.objectStorageConfig !== "name-and-key") return [];
      const major = Number(/^v?(\d+)/.exec(fleet.versions.kubePrometheusStack)?.[1] ?? Infinity);
      if (major < 52) return [];
      return [
        {
          path: ["deployment", "sidecars", "objectStorageConfig"],
          found: `kube-prometheus-stack ${fleet.versions.kubePrometheusStack} ignores { name, key }: no block of ${pulled(fleet)} clusters is ever uploaded`,
          instead: "objectStorageConfig: existing-secret",
          edits: [remove(["deployment", "sidecars", "objectStorageConfig"])],
        },
      ];
    },
  },
  {
    code: "sidecar-not-reachable",
    severity: "high",
    title: "Nothing lets the queriers reach the sidecars of other clusters.",
    why: "A sidecar's port 10901 is inside its own cluster. Without a way in, every query misses the newest hours of every cluster.",
    find: ({ fleet }) =>
      fleet.deployment?.sidecars.exposure === "none" && pulled(fleet) > 0
        ? [
            {
              path: ["deployment", "sidecars", "exposure"],
              found: `the sidecars of ${pulled(fleet)} clusters are not exposed`,
              instead: "exposure: load-balancer, ingress or leaf-querier; or groups.<name>.ingest: push",
              edits: [remove(["deployment", "sidecars", "exposure"])],
            },
          ]
        : [],
  },
  {
    code: "store-api-open",
    severity: "high",
    title: "StoreAPI crosses cluster borders without TLS.",
    why: "It has no authentication of its own: whoever reaches the port reads every sample of the cluster.",
    find: ({ fleet }) =>
      fleet.deployment?.sidecars.tls === "none" && pulled(fleet) > 0
        ? [
            {
              path: ["deployment", "sidecars", "tls"],
              found: `the StoreAPI of ${pulled(fleet)} clusters is readable in plain text by anyone who reaches it`,
              instead: "tls: mutual",
              edits: [remove(["deployment", "sidecars", "tls"])],
            },
          ]
        : [],
  },
  {
    code: "partial-answers-likely",
    severity: "medium",
    title: "With so many clusters, one of them is nearly always missing from an answer.",
    why: "An answer over all clusters is whole only when every one of them answers. Partial answers carry a warning and are not cached.",
    find: ({ fleet }) => {
      // Replicas of a pair fail apart from each other; what is pushed is asked from the fleet's own receivers.
      const whole = fleet.clusters.reduce(
        (all, { availability, prometheusReplicas, ingest }) =>
          ingest === "push" ? all : all * (1 - (1 - availability) ** prometheusReplicas),
        1,
      );
      if (whole >= wholeAnswersMin) return [];
      return [
        {
          path: ["defaults", "prometheusReplicas"],
          found: `all ${fleet.clusters.length} clusters answer together ${(whole * 100).toFixed(1)} % of the time`,
          instead: "prometheusReplicas: 2, or ingest: push for groups that are often away",
        },
      ];
    },
  },
];

const wholeAnswersMin = 0.9;
