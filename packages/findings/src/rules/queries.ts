/** How queries reach their samples, and what bounds them. */
import { formatAmount } from "@pleiad/capacity";
import { remove, set, type Fault, type FindingRule } from "../finding-rule.ts";
import { parseFlag } from "../thanos-flags.ts";

/** Components that read samples for queries: where the limits of a query are set. */
const readers = ["sidecar", "global-store-gateway", "regional-store-gateway"] as const;

export const queryRules: readonly FindingRule[] = [
  {
    code: "stores-not-sharded",
    severity: "high",
    title: "Several store gateways serve the whole bucket.",
    why: "Each loads every block, holds the header of every block on its disk, and answers every query: the work is done as often as there are gateways.",
    find: ({ fleet, plan }) => {
      const gateways = plan.roles.filter(({ kind }) => kind === "store-gateway");
      if (fleet.deployment?.storeSelectors !== "none" || gateways.length < 2) return [];
      return [
        {
          path: ["deployment", "storeSelectors"],
          found: `${gateways.length} store gateways have no selector: each loads every block`,
          instead: "storeSelectors: region, or block-hash",
          edits: [remove(["deployment", "storeSelectors"])],
        },
      ];
    },
  },
  {
    code: "regions-return-raw-series",
    severity: "high",
    title: "Regions hand on series, not aggregates.",
    why: "Thanos evaluates a query at the root unless its mode is distributed. A sum over all clusters ships every series of every cluster through both tiers first.",
    find: ({ fleet, plan }) => {
      if (fleet.queryMode !== "fan-out" || fleet.regions.length < 2) return [];
      return [
        {
          path: ["queryMode"],
          found: `fan-out over ${fleet.regions.length} regions: a sum by (cluster) ships up to ${formatAmount(plan.totals.series, "series")} to the root`,
          instead: "queryMode: distributed",
          edits: [set(["queryMode"], "distributed")],
        },
      ];
    },
  },
  {
    code: "history-lost-at-root",
    severity: "high",
    title: "In distributed mode the root leaves out stores that it is asked to ask itself.",
    why: "Thanos runs a distributed query on queriers alone. A store gateway or ruler that hangs on the root is left out without a warning, and history with it.",
    find: ({ fleet, plan }) => {
      const kindOf = new Map(plan.roles.map(({ id, kind }) => [id, kind]));
      if (fleet.queryMode !== "distributed" || fleet.engine !== "thanos") return [];
      const left = plan.edges.filter(
        ({ from, to, protocol }) =>
          protocol === "grpc" &&
          kindOf.get(from) === "global-querier" &&
          (kindOf.get(to) === "store-gateway" || kindOf.get(to) === "ruler"),
      );
      if (left.length === 0) return [];
      const names = [...new Set(left.map(({ to }) => to))];
      // Where regions have gateways of their own, the root's hold no more than what rulers and the fleet itself wrote.
      const isAllHistory =
        !fleet.roles.some(({ key }) => key === "regional-store-gateway") || fleet.deployment?.storeSelectors === "none";
      return [
        {
          path: ["queryMode"],
          ...(isAllHistory ? {} : { severity: "medium" as const }),
          found: `${names.join(", ")} hang on the global queriers, which leave them out`,
          instead: "roles.leaf-querier: { replicas: 2 }, a querier that asks them for the root",
          edits: [set(["roles", "leaf-querier"], { replicas: 2, cpu: 1, memory: "2Gi" })],
        },
      ];
    },
  },
  {
    code: "no-query-limits",
    severity: "high",
    title: "Nothing bounds what one query may read.",
    why: "A single selector that matches everything, typed into a dashboard, takes the memory of a whole tier, and everyone else's queries with it.",
    find: ({ fleet }) =>
      readers.flatMap((component): readonly Fault[] => {
        const flags = fleet.deployment?.flags[component];
        const names = flags?.map((flag) => parseFlag(flag).name);
        if (
          names === undefined ||
          names.some((name) => /^store\.(?:limits|grpc)\..*(?:series|samples|limit)/.test(name))
        ) {
          return [];
        }
        return [
          {
            path: ["deployment", "flags", component],
            found: `no flag of ${component} limits the series or samples of a request`,
            instead: "--store.limits.request-series and --store.limits.request-samples",
            edits: [remove(["deployment", "flags", component])],
          },
        ];
      }),
  },
  {
    code: "queries-wait",
    severity: "medium",
    title: "More queries are expected at once than queriers let in.",
    why: "Thanos lets 20 queries at once into a querier unless told otherwise. The others wait in line, and the time they wait is part of their latency.",
    find: ({ fleet, plan }) => {
      const { concurrentMax, concurrentPerQuerierMax } = fleet.queryLoad;
      const queriers = plan.roles.filter(({ kind }) => kind === "global-querier").length;
      const letIn = queriers * concurrentPerQuerierMax;
      if (concurrentMax <= letIn) return [];
      return [
        {
          path: ["queryLoad", "concurrent"],
          found: `${concurrentMax} queries at once, of which ${queriers} global queriers let in ${letIn}`,
          instead: `concurrentPerQuerier: ${Math.ceil(concurrentMax / Math.max(1, queriers))}, with the memory for it, or more queriers`,
          edits: [set(["queryLoad", "concurrentPerQuerier"], Math.ceil(concurrentMax / Math.max(1, queriers)))],
        },
      ];
    },
  },
  {
    code: "no-query-frontend",
    severity: "medium",
    title: "Nothing caches, splits or queues queries.",
    why: "Every refresh of every dashboard goes to every cluster again, and a query over months is one piece of work for one querier.",
    find: ({ fleet }) =>
      fleet.roles.some(({ key }) => key === "query-frontend")
        ? []
        : [
            {
              path: ["roles"],
              found: "there is no query-frontend",
              instead: "query-frontend: { replicas: 2, cpu: 1, memory: 2Gi }",
              edits: [set(["roles", "query-frontend"], { replicas: 2, cpu: 1, memory: "2Gi" })],
            },
          ],
  },
];
