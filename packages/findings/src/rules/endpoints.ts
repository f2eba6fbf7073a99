/** Who asks whom, as the command lines of a deployment have it. */
import type { DeployedComponent, FleetRole, RoleKey } from "@pleiad/fleet";
import { remove, set, type Fault, type FindingRule, type LintSubject } from "../finding-rule.ts";
import { addressesAsked, fadingFlags, isBefore, parseFlag, parseVersion, type AskedAddress } from "../thanos-flags.ts";

const queriers = ["global-querier", "regional-querier"] as const;

export const endpointRules: readonly FindingRule[] = [
  {
    code: "flag-removed",
    severity: "high",
    title: "A flag is used that newer releases of Thanos do not know.",
    why: "A release that does not know a flag exits at once: the first upgrade takes the component down.",
    find: (subject) => fadingFaults(subject, "removed"),
  },
  {
    code: "flag-deprecated",
    severity: "medium",
    title: "A flag is used that Thanos is about to remove.",
    why: "It works until a release removes it, and then the component does not start.",
    find: (subject) => fadingFaults(subject, "deprecated"),
  },
  {
    code: "replica-labels-differ",
    severity: "high",
    title: "Queriers do not agree on the labels that only tell replicas apart.",
    why: "A querier that lacks one of them does not deduplicate: whoever asks it sees each series once for every replica, and sums are doubled.",
    find: ({ fleet }) => {
      const wanted = fleet.replicaLabels;
      return queriers.flatMap((component): readonly Fault[] => {
        const flags = fleet.deployment?.flags[component];
        if (flags === undefined) return [];
        const own = flags.map(parseFlag).flatMap(({ name, value }) => (name === "query.replica-label" ? [value] : []));
        const missing = wanted.filter((label) => !own.includes(label));
        const extra = own.filter((label) => !wanted.includes(label));
        if (missing.length === 0 && extra.length === 0) return [];
        const parts = [
          ...(missing.length === 0 ? [] : [`lacks ${missing.join(", ")}`]),
          ...(extra.length === 0 ? [] : [`has ${extra.join(", ")} besides`]),
        ];
        return [
          {
            path: ["deployment", "flags", component],
            found: `${component} ${parts.join(" and ")}`,
            instead: wanted.map((label) => `--query.replica-label=${label}`).join(" "),
            edits: [remove(["deployment", "flags", component])],
          },
        ];
      });
    },
  },
  {
    code: "replica-labels-redundant",
    severity: "low",
    title: "Two labels tell the same replicas apart.",
    why: "The operator adds prometheus_replica by itself. A second label with the same meaning has to be stripped everywhere too, and is forgotten somewhere.",
    find: ({ fleet }) => {
      const index = fleet.replicaLabels.indexOf("prometheus_replica");
      const others = fleet.replicaLabels.filter(
        (label) => label !== "prometheus_replica" && isOfClusters(label, fleet),
      );
      if (index < 0 || others.length === 0) return [];
      return [
        {
          path: ["replicaLabels", index],
          found: `prometheus_replica and ${others.join(", ")} both tell the replicas of one cluster apart`,
          instead: `replicaLabels: [${others.join(", ")}]`,
          edits: [
            set(
              ["replicaLabels"],
              fleet.replicaLabels.filter((label) => label !== "prometheus_replica"),
            ),
          ],
        },
      ];
    },
  },
  {
    code: "ruler-replica-label-missing",
    severity: "high",
    title: "Several rulers write the same series, and no replica label tells them apart.",
    why: "Each ruler evaluates every rule. Without a label of their own their series collide, and with one that queriers do not strip each is shown several times.",
    find: ({ fleet }) => {
      const ruler = roleOf(fleet.roles, "ruler");
      if (ruler === undefined || ruler.replicas < 2 || fleet.replicaLabels.includes("ruler_replica")) return [];
      return [
        {
          path: ["replicaLabels"],
          found: `${ruler.replicas} rulers and no ruler_replica among the replica labels`,
          instead: `replicaLabels: [${[...fleet.replicaLabels, "ruler_replica"].join(", ")}]`,
          edits: [set(["replicaLabels"], [...fleet.replicaLabels, "ruler_replica"])],
        },
      ];
    },
  },
  {
    code: "endpoint-sticks-to-one-replica",
    severity: "high",
    title: "A plain address is given for a role that has several replicas.",
    why: "A Service balances connections, and gRPC keeps one open: one replica gets all queries and the others none, until the first dies.",
    find: (subject) =>
      addressFaults(
        subject,
        ({ lookup, isGroup, role }, roles) => lookup === "none" && !isGroup && isReplicated(role, roles),
        {
          found: (text, role) => `${text} reaches one of ${role.replicas} replicas of ${role.key}`,
          instead: "group: true with a dns+ name of a headless Service, in an endpoint file",
        },
      ),
  },
  {
    code: "endpoints-not-grouped",
    severity: "medium",
    title: "Each replica is an endpoint of its own.",
    why: "A querier then asks all of them every time: each query costs as many times as there are replicas.",
    find: (subject) =>
      addressFaults(
        subject,
        ({ lookup, isGroup, role }, roles) => lookup === "dns" && !isGroup && isReplicated(role, roles),
        {
          found: (text, role) => `${text} makes ${role.replicas} endpoints of the replicas of ${role.key}`,
          instead: "group: true for that name, in an endpoint file",
        },
      ),
  },
  {
    code: "role-asked-by-nobody",
    severity: "high",
    title: "A role runs, and no querier asks it.",
    why: "What it holds is in no answer, and it takes its CPU and memory all the same.",
    find: ({ fleet }) => [
      ...unasked(fleet, "global-querier", ["ruler"]),
      ...unasked(fleet, "regional-querier", ["regional-store-gateway"]),
    ],
  },
  {
    code: "ruler-asks-one-querier",
    severity: "high",
    title: "Rules are evaluated by one querier alone.",
    why: "When that querier is away no rule is evaluated and no alert fires, as if all were well.",
    find: ({ fleet }) => {
      const flags = fleet.deployment?.flags.ruler;
      const asked = (flags ?? []).map(parseFlag).filter(({ name }) => name === "query");
      const [only, ...others] = asked;
      if (only === undefined || others.length > 0 || only.value.startsWith("dns")) return [];
      if (!isReplicated("global-querier", fleet.roles)) return [];
      return [
        {
          path: ["deployment", "flags", "ruler"],
          found: `rulers ask ${only.value} alone`,
          instead: "--query=dnssrv+ with a name that all global queriers, or the query frontends, are behind",
          edits: [remove(["deployment", "flags", "ruler"])],
        },
      ];
    },
  },
  {
    code: "service-not-defined",
    severity: "high",
    title: "Addresses name Services that nothing defines.",
    why: "The names do not resolve: queriers find no regions and no stores, and answers are empty.",
    find: ({ fleet }) =>
      fleet.deployment?.services === "assumed"
        ? [
            {
              path: ["deployment", "services"],
              found: "Services of queriers, store gateways and object storage are used and not defined",
              instead: "services: defined, headless ones for stores with a port named grpc",
              edits: [remove(["deployment", "services"])],
            },
          ]
        : [],
  },
  {
    code: "endpoint-file-not-mounted",
    severity: "fatal",
    title: "Queriers mount a ConfigMap that is never created.",
    why: "Their pods stay in ContainerCreating: the region has no querier at all.",
    find: ({ fleet }) => {
      const files = fleet.deployment?.endpointFiles;
      if (files === undefined || (files.written === files.mounted && !files.hashSuffix)) return [];
      const suffix = files.hashSuffix ? " with a hash appended" : "";
      return [
        {
          path: ["deployment", "endpointFiles"],
          found: `${files.written}${suffix} is written and ${files.mounted} is mounted`,
          instead: "the same name for both, and no hash: queriers re-read the file when it changes",
          edits: ["written", "mounted", "hashSuffix"].map((key) => remove(["deployment", "endpointFiles", key])),
        },
      ];
    },
  },
  {
    code: "endpoint-file-unreadable",
    severity: "high",
    title: "The file of endpoints is not in a form that Thanos reads.",
    why: "A querier that cannot read the file asks nobody, and says so only in its log.",
    find: ({ fleet }) =>
      fleet.deployment?.endpointFiles.format === "literals"
        ? [
            {
              path: ["deployment", "endpointFiles", "format"],
              found: "the ConfigMap has a key a cluster, which is no list of endpoints",
              instead: "format: endpoint-sd, or file-sd up to Thanos 0.37",
              edits: [remove(["deployment", "endpointFiles", "format"])],
            },
          ]
        : [],
  },
];

function fadingFaults({ fleet }: LintSubject, end: "removed" | "deprecated"): readonly Fault[] {
  const running = parseVersion(fleet.versions.thanos);
  return flagLists(fleet).flatMap(([component, flags]) => {
    const fading = flags.flatMap((flag, index) => {
      const { name } = parseFlag(flag);
      const fate = Object.hasOwn(fadingFlags, name) ? fadingFlags[name] : undefined;
      return fate?.end === end ? [{ name, index, fate }] : [];
    });
    // One place speaks for a flag that is repeated.
    return [...Map.groupBy(fading, ({ name }) => name)].flatMap(([name, [first, ...others]]): readonly Fault[] => {
      if (first === undefined) return [];
      const { since, instead } = first.fate;
      const isOver = end === "removed" && running !== undefined && !isBefore(running, since);
      const times = others.length === 0 ? "" : ` (${others.length + 1} times)`;
      return [
        {
          path: ["deployment", "flags", component, first.index],
          ...(isOver ? { severity: "fatal" as const } : {}),
          found: `--${name}${times} is ${end} since Thanos ${since.join(".")}, and ${fleet.versions.thanos} runs`,
          instead,
          edits: [remove(["deployment", "flags", component])],
        },
      ];
    });
  });
}

function addressFaults(
  { fleet }: LintSubject,
  isFault: (address: AskedAddress, roles: readonly FleetRole[]) => boolean,
  { found, instead }: { found: (text: string, role: FleetRole) => string; instead: string },
): readonly Fault[] {
  return queriers.flatMap((component) => {
    const wrong = addressesAsked(fleet.deployment?.flags[component] ?? []).filter((one) => isFault(one, fleet.roles));
    return [...Map.groupBy(wrong, ({ role }) => role)].flatMap(([key, [first, ...others]]): readonly Fault[] => {
      const role = key === undefined ? undefined : roleOf(fleet.roles, key);
      if (first === undefined || role === undefined) return [];
      const more = others.length === 0 ? "" : `, as do ${others.length} more`;
      return [
        {
          path: ["deployment", "flags", component, first.index],
          found: `${found(first.text, role)}${more}`,
          instead,
          edits: [remove(["deployment", "flags", component])],
        },
      ];
    });
  });
}

/** Roles that a command line leaves out. One that names no address at all has them elsewhere. */
function unasked(
  fleet: LintSubject["fleet"],
  component: "global-querier" | "regional-querier",
  keys: readonly RoleKey[],
): readonly Fault[] {
  const flags = fleet.deployment?.flags[component];
  if (flags === undefined || flags.some((flag) => parseFlag(flag).name.startsWith("endpoint.sd-config"))) return [];
  const asked = addressesAsked(flags);
  return keys
    .filter((key) => roleOf(fleet.roles, key) !== undefined && !asked.some(({ role }) => role === key))
    .map((key) => ({
      path: ["deployment", "flags", component],
      found: `no flag of ${component} names ${key}, of which the fleet has ${roleOf(fleet.roles, key)?.replicas ?? 0}${key.startsWith("regional") ? " a region" : ""}`,
      instead: `an endpoint for ${key}, or no such role`,
      edits: [remove(["deployment", "flags", component])],
    }));
}

function flagLists(fleet: LintSubject["fleet"]): readonly (readonly [DeployedComponent, readonly string[]])[] {
  const { flags } = fleet.deployment ?? { flags: {} };
  return (Object.entries(flags) as [DeployedComponent, readonly string[] | undefined][]).flatMap(([component, list]) =>
    list === undefined ? [] : [[component, list] as const],
  );
}

function roleOf(roles: readonly FleetRole[], key: RoleKey): FleetRole | undefined {
  return roles.find((role) => role.key === key);
}

function isReplicated(key: RoleKey | undefined, roles: readonly FleetRole[]): boolean {
  return key !== undefined && (roleOf(roles, key)?.replicas ?? 1) > 1;
}

/** Whether a replica label is one that clusters carry, rather than rulers. */
function isOfClusters(label: string, { clusters }: LintSubject["fleet"]): boolean {
  return clusters.some(({ externalLabels }) => Object.hasOwn(externalLabels, label));
}
