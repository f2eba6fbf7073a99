/** How long samples are kept: by the clusters themselves, and in the bucket. */
import { formatDuration } from "@pleiad/model";
import { remove, set, type FindingRule, type LintSubject } from "../finding-rule.ts";

const hour = 3_600_000;
/** Three blocks of 2 h, below which Thanos's own documentation sees data lost. */
const retentionMsMin = 6 * hour;
/** An outage of object storage over a night has to be survivable. */
const retentionMsSafe = 24 * hour;

export const retentionRules: readonly FindingRule[] = [
  {
    code: "retention-too-short",
    severity: "fatal",
    title: "Clusters keep less than it takes to survive a short outage of object storage.",
    why: "What a cluster drops before it was uploaded is gone for good. A block is cut every 2 h and uploaded after that, so below 6 h a short outage already loses data.",
    find: ({ fleet }) => retentionFaults(fleet),
  },
  {
    code: "bucket-retention-unlimited",
    severity: "medium",
    title: "Nothing in the bucket ever expires.",
    why: "A bucket of finite size fills up, and when it is full every upload of every cluster fails.",
    find: ({ fleet: { objectStorage }, plan }) => {
      if (objectStorage === undefined || !plan.roles.some(({ kind }) => kind === "compactor")) return [];
      const { rawMs, fiveMinutesMs, oneHourMs } = objectStorage.retention;
      const endless = Object.entries({ raw: rawMs, "5m": fiveMinutesMs, "1h": oneHourMs }).filter(
        ([, keptMs]) => keptMs === undefined,
      );
      if (endless.length === 0) return [];
      const names = endless.map(([name]) => name);
      return [
        {
          path: ["objectStorage", "retention"],
          found: `samples at ${names.join(", ")} resolution are kept for ever`,
          instead: 'retention: { raw: 30d, "5m": 180d, "1h": 1y }',
          edits: names.map((name) => set(["objectStorage", "retention", name], usual[name] ?? "1y")),
        },
      ];
    },
  },
];

const usual: Readonly<Record<string, string>> = { raw: "30d", "5m": "180d", "1h": "1y" };

function retentionFaults(fleet: LintSubject["fleet"]) {
  // One place in the file speaks for all clusters that take the value from there.
  const ofPlace = Map.groupBy(fleet.clusters, ({ group }) =>
    fleet.source.valuePlaces.has(`groups.${group}.retention`) ? group : "",
  );
  return [...ofPlace].flatMap(([group, clusters]) => {
    const keptMs = Math.min(...clusters.map(({ retentionMs }) => retentionMs));
    if (keptMs >= retentionMsSafe) return [];
    const path = group === "" ? ["defaults", "retention"] : ["groups", group, "retention"];
    const isShort = keptMs < retentionMsMin;
    return [
      {
        path,
        ...(isShort ? {} : { severity: "medium" as const }),
        found: `${clusters.length} clusters keep ${formatDuration(keptMs)}: an outage of object storage longer than that loses data`,
        instead: "at least 24h, 72h to survive a weekend",
        edits: group === "" ? [set(path, "72h")] : [remove(path), set(["defaults", "retention"], "72h")],
      },
    ];
  });
}
