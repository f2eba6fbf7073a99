/** How roles are run: rollouts, volumes, memory, and what comes with the chart. */
import { formatDuration, parseDuration } from "@pleiad/model";
import { remove, set, type Fault, type FindingRule } from "../finding-rule.ts";
import { isBefore, parseFlag, parseVersion } from "../thanos-flags.ts";

/** Before it, per-endpoint TLS, UTF-8 label names and a fix of CVE-2026-33186 are missing. */
const thanosOldest = [0, 42, 0] as const;
const thanosCurrent = "0.42.4";
const waitMsMin = 15 * 60_000;

export const workloadRules: readonly FindingRule[] = [
  {
    code: "rollout-deadlock",
    severity: "high",
    title: "Each replica is a Deployment of its own, pinned to one node and barred from sharing it.",
    why: "A rolling update starts the new pod before the old one ends. The new one may only run where the old one is, and may not run beside it: it stays Pending and no update ever finishes.",
    find: ({ fleet }) =>
      Object.entries(fleet.deployment?.workloads ?? {}).flatMap(([component, workload]): readonly Fault[] =>
        workload === "deployment-per-replica"
          ? [
              {
                path: ["deployment", "workloads", component],
                found: `${component} is a Deployment for each replica, with required anti-affinity to itself`,
                instead: "one deployment with all replicas, spread over nodes",
                edits: [remove(["deployment", "workloads", component])],
              },
            ]
          : [],
      ),
  },
  {
    code: "compactor-may-run-twice",
    severity: "high",
    title: "The compactor is a Deployment, of which an update runs two for a while.",
    why: "Two compactors on the same blocks write overlapping ones, which halts compaction until somebody sorts them out by hand.",
    find: ({ fleet }) =>
      fleet.deployment?.workloads.compactor === undefined || fleet.deployment.workloads.compactor === "stateful-set"
        ? []
        : [
            {
              path: ["deployment", "workloads", "compactor"],
              found: `the compactor's workload is ${fleet.deployment.workloads.compactor}`,
              instead: "stateful-set",
              edits: [remove(["deployment", "workloads", "compactor"])],
            },
          ],
  },
  {
    code: "compactor-without-disk",
    severity: "high",
    title: "The compactor has no volume of its own.",
    why: "It downloads whole groups of blocks before it merges them, a hundred gigabytes in a fleet of middling size. On the node's own disk that evicts its neighbours, and every restart begins anew.",
    find: ({ fleet }) => {
      const role = fleet.roles.find(({ key }) => key === "compactor");
      if (role === undefined || role.diskBytes !== undefined || fleet.engine === "embedded") return [];
      return [
        {
          path: ["roles", "compactor"],
          found: "compactor has no disk",
          instead: "disk: 200Gi",
          edits: [set(["roles", "compactor", "disk"], "200Gi")],
        },
      ];
    },
  },
  {
    code: "compactor-syncs-too-often",
    severity: "high",
    title: "The compactor begins a new round before it can have finished looking at the bucket.",
    why: "The interval is the pause between rounds and the time limit of one look at all blocks. With tens of thousands of blocks the look takes longer, the round fails, and its requests are paid for all the same.",
    find: ({ fleet }) => {
      const flags = fleet.deployment?.flags.compactor ?? [];
      return flags.flatMap((flag, index): readonly Fault[] => {
        const { name, value } = parseFlag(flag);
        const wait = parseDuration(value);
        if (name !== "wait-interval" || !wait.ok || wait.value >= waitMsMin) return [];
        return [
          {
            path: ["deployment", "flags", "compactor", index],
            found: `--wait-interval is ${formatDuration(wait.value)}, over the blocks of ${fleet.clusters.length} clusters`,
            instead: "--wait-interval=30m",
            edits: [remove(["deployment", "flags", "compactor"])],
          },
        ];
      });
    },
  },
  {
    code: "thanos-outdated",
    severity: "medium",
    title: "The release of Thanos is old.",
    why: "It lacks a fix of CVE-2026-33186 in gRPC, TLS settings of single endpoints, label names in UTF-8, and corrections of partial answers.",
    find: ({ fleet }) => {
      const running = parseVersion(fleet.versions.thanos);
      if (running === undefined || !isBefore(running, thanosOldest)) return [];
      return [
        {
          path: ["versions", "thanos"],
          found: `Thanos ${fleet.versions.thanos} runs`,
          instead: thanosCurrent,
          edits: [set(["versions", "thanos"], thanosCurrent)],
        },
      ];
    },
  },
  {
    code: "chart-without-crds",
    severity: "medium",
    title: "The chart is rendered without its custom resource definitions, or without a namespace.",
    why: "Prometheus resources are refused where their definitions are missing, and names that the chart bakes into arguments and certificates point to the namespace default.",
    find: ({ fleet }) => {
      const chart = fleet.deployment?.chart;
      const missing = [
        ...(chart?.includeCrds === false ? (["includeCrds"] as const) : []),
        ...(chart?.namespace === false ? (["namespace"] as const) : []),
      ];
      if (missing.length === 0) return [];
      return [
        {
          path: ["deployment", "chart"],
          found: `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing from helmCharts`,
          instead: "includeCrds: true, namespace: true, and kubectl apply --server-side, definitions first",
          edits: missing.map((key) => remove(["deployment", "chart", key])),
        },
      ];
    },
  },
  {
    code: "chart-components-twice",
    severity: "medium",
    title: "The chart's own Grafana and Alertmanager run beside those of the fleet.",
    why: "They take room that no budget has, and alerts are sent by two Alertmanagers that do not know each other.",
    find: ({ fleet }) =>
      fleet.deployment?.chart.subcharts === "beside-own"
        ? [
            {
              path: ["deployment", "chart", "subcharts"],
              found: "Grafana and Alertmanager are in the chart and in roles",
              instead: "subcharts: disabled",
              edits: [remove(["deployment", "chart", "subcharts"])],
            },
          ]
        : [],
  },
  {
    code: "grafana-replicas-diverge",
    severity: "medium",
    title: "Replicas of Grafana have a database each.",
    why: "Sessions, dashboards and alert states differ from one to the next, and alerts fire once for every replica.",
    find: ({ fleet }) => {
      const replicas = fleet.roles.find(({ key }) => key === "grafana")?.replicas ?? 0;
      if (fleet.deployment?.grafanaDatabase !== "sqlite" || replicas < 2) return [];
      return [
        {
          path: ["deployment", "grafanaDatabase"],
          found: `${replicas} replicas of Grafana with SQLite`,
          instead: "grafanaDatabase: shared, PostgreSQL or MySQL",
          edits: [remove(["deployment", "grafanaDatabase"])],
        },
      ];
    },
  },
  {
    code: "caches-on-replicated-volumes",
    severity: "medium",
    title: "Caches that can be made again are on a storage class that keeps copies.",
    why: "Every copy takes disk and network of another node. What store gateways and compactors keep on disk is in the bucket anyway.",
    find: ({ fleet }) => {
      const copies = fleet.deployment?.volumeReplicas ?? 1;
      if (copies < 2) return [];
      const tib = fleet.nodes.reduce((sum, { diskBytes }) => sum + diskBytes, 0) / 2 ** 40;
      return [
        {
          path: ["deployment", "volumeReplicas"],
          found: `${copies} copies: of ${tib.toFixed(2)} TiB of disk ${(tib / copies).toFixed(2)} TiB are usable`,
          instead: "volumeReplicas: 1, local volumes",
          edits: [remove(["deployment", "volumeReplicas"])],
        },
      ];
    },
  },
  {
    code: "memory-overcommitted",
    severity: "low",
    title: "Pods ask for less memory than they may take.",
    why: "The scheduler counts what is asked for, the budget what may be taken. A node that looks half empty kills pods when they use what they were promised.",
    find: ({ fleet }) =>
      fleet.deployment?.memoryRequests === "half-of-limits"
        ? [
            {
              path: ["deployment", "memoryRequests"],
              found: "memory requests are half of the limits",
              instead: "memoryRequests: limits",
              edits: [remove(["deployment", "memoryRequests"])],
            },
          ]
        : [],
  },
];
