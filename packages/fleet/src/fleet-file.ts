/** A fleet file's text to a fleet: syntax, then shape, then what the parts mean together. */
import { fail, formatDuration, ok, type Result } from "@pleiad/model";
import { checkLabelScheme, clusterPlaceholders, labelNameMismatch } from "./external-labels.ts";
import { expandClusterNames, nameMismatch } from "./cluster-range.ts";
import type { FleetFile } from "./fleet-schema.ts";
import type { Path } from "./fleet-source.ts";
import { assembleFleet, roleKeys } from "./fleet-assembly.ts";
import type { Fleet } from "./fleet.ts";
import { expandNodes, nodesMax } from "./node-ranges.ts";
import { readMembership, shortList } from "./membership.ts";
import type { PreviousPlan } from "./previous-plan.ts";
import { ProblemLog } from "./problem-log.ts";
import { fleetFailure, type FleetFailure, type Mismatch } from "./problems.ts";
import { checkShape, valueAt } from "./schema-issues.ts";
import { readYamlTree } from "./yaml-tree.ts";

export interface ReadFleetOptions {
  /** An older plan: clusters stay in the regions that they have there, where the file names no regions. */
  readonly previous?: Pick<PreviousPlan, "clusters"> | undefined;
}

/** Reads a fleet file. `fileName` only names it in messages. All problems of a stage are found in one run. */
export function readFleet(
  text: string,
  fileName: string,
  { previous }: ReadFleetOptions = {},
): Result<Fleet, FleetFailure> {
  const tree = readYamlTree(text, fileName);
  if (tree.problems.length > 0) return fail(fleetFailure(tree.problems));
  const log = new ProblemLog(tree.source);
  const { file: written, problems } = checkShape(tree.value, tree.source);
  log.add(problems);
  checkNames(tree.value, log);
  // What parts mean together is only asked of parts that have the right shape.
  if (written === undefined) return fail(fleetFailure(log.problems));
  const { nodes, source } = expandNodes(written.nodes, tree.source, log);
  const file: FleetFile = { ...written, nodes };
  for (const [node, { role, zone }] of Object.entries(written.nodes)) {
    report(nameMismatch(role), ["nodes", node, "role"], role, log.atValue.bind(log));
    if (zone !== undefined) report(nameMismatch(zone), ["nodes", node, "zone"], zone, log.atValue.bind(log));
  }
  checkLabels(file, log);
  checkPresence(file, log);
  checkTargets(file, log);
  checkBackfill(file, log);
  checkBucketRetention(file, log);
  const regionOf = new Map(previous?.clusters.map(({ name, region }) => [name, region]));
  const membership = readMembership(file, log, regionOf);
  const fleet = assembleFleet(file, membership, source);
  checkLabelCollisions(fleet, log);
  return log.problems.length > 0 ? fail(fleetFailure(log.problems)) : ok(fleet);
}

/** Names of nodes, groups, regions and the fleet itself: labels, file names and DNS names are made of them. */
function checkNames(tree: unknown, log: ProblemLog): void {
  const name = valueAt(tree, ["name"]);
  if (typeof name === "string") report(nameMismatch(name), ["name"], name, log.atValue.bind(log));
  for (const section of ["nodes", "groups", "regions"]) {
    const mapping = valueAt(tree, [section]);
    if (typeof mapping !== "object" || mapping === null || Array.isArray(mapping)) continue;
    const keys = Object.keys(mapping);
    if (keys.length === 0 || keys.length > nodesMax) {
      log.atValue([section], { code: "RANGE", expected: `1 to ${nodesMax} entries`, found: String(keys.length) });
    }
    for (const key of keys) {
      const names = section === "nodes" ? expandClusterNames(key) : undefined;
      const wrong = names === undefined ? nameMismatch(key) : names.ok ? undefined : names.failure;
      report(wrong, [section, key], key, log.atKey.bind(log));
    }
  }
}

function report(
  wrong: Mismatch | undefined,
  path: Path,
  text: string,
  at: (path: Path, finding: Mismatch & { readonly found: string }) => void,
): void {
  if (wrong !== undefined) at(path, { found: JSON.stringify(text.slice(0, 80)), ...wrong });
}

function checkLabels(file: FleetFile, log: ProblemLog): void {
  checkLabelScheme(file.externalLabels, clusterPlaceholders, ["externalLabels"], log);
  if (file.monitoring !== undefined) {
    checkLabelScheme(file.monitoring.externalLabels, ["replica"], ["monitoring", "externalLabels"], log);
  }
  const tellsReplicas = Object.entries(file.externalLabels).some(
    ([name, text]) => file.replicaLabels.includes(name) && text.includes("${replica}"),
  );
  for (const [group, { prometheusReplicas = file.defaults.prometheusReplicas }] of Object.entries(file.groups)) {
    if (prometheusReplicas === 1 || tellsReplicas) continue;
    log.atKey(["groups", group, "prometheusReplicas"], {
      code: "NO_REPLICA_LABEL",
      expected: `one of replicaLabels (${shortList(file.replicaLabels)}) among externalLabels, as \${replica}`,
      found: `none, and ${prometheusReplicas} replicas`,
      hint: `add ${file.replicaLabels[0] ?? "replica"}: \${replica}`,
    });
  }
  file.replicaLabels.forEach((name, i) => {
    report(labelNameMismatch(name), ["replicaLabels", i], name, log.atValue.bind(log));
  });
}

/** Deduplication takes series for the same where they differ only by replica labels: no two clusters may. */
function checkLabelCollisions(fleet: Fleet, log: ProblemLog): void {
  const seen = new Map<string, string>();
  for (const { name, externalLabels } of fleet.clusters) {
    const kept = Object.entries(externalLabels).filter(([label]) => !fleet.replicaLabels.includes(label));
    const key = JSON.stringify(kept);
    const other = seen.get(key);
    if (other !== undefined) {
      log.atKey(["externalLabels"], {
        code: "LABEL_COLLISION",
        expected: "external labels that tell clusters apart without the replica labels",
        found: `the same for ${other} and ${name}`,
        hint: "add cluster: ${cluster}",
      });
      return;
    }
    seen.set(key, name);
  }
}

/** Sections that roles need, and roles that sections need. */
function checkPresence({ roles, groups, defaults, objectStorage, monitoring }: FleetFile, log: ProblemLog): void {
  for (const key of roleKeys) {
    const settings = roles[key];
    if (settings === undefined) continue;
    if ("on" in settings && settings.on !== undefined && settings.tiers !== undefined) {
      log.atKey(["roles", key, "tiers"], {
        code: "KEY_CONFLICT",
        expected: "one of the keys on and tiers",
        found: "both",
        hint: "on pins replicas to nodes, tiers lets the planner choose",
      });
    }
  }
  for (const [group, { ingest }] of Object.entries(groups)) {
    if ((ingest ?? defaults.ingest) === "pull" || roles.receiver !== undefined) continue;
    log.atKey(["groups", group, "ingest"], {
      code: "KEY_MISSING",
      expected: 'the key "receiver" in roles',
      found: `none, and clusters of ${group} that push`,
      hint: "nobody would take what they write",
    });
  }
  const needsBucket = roleKeys.find((key) => roles[key] !== undefined && /store|compactor/.test(key));
  if (needsBucket !== undefined && objectStorage === undefined) {
    log.atKey(["roles", needsBucket], {
      code: "KEY_MISSING",
      expected: 'the key "objectStorage" in the file',
      found: `none, and the role ${needsBucket}`,
    });
  }
  if (objectStorage !== undefined && !/^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(objectStorage.bucket)) {
    log.atValue(["objectStorage", "bucket"], {
      code: "BUCKET_NAME",
      expected: "a bucket name of 3 to 63 characters: a-z, 0-9, '-' and single dots, a letter or digit at either end",
      found: JSON.stringify(objectStorage.bucket.slice(0, 80)),
    });
  }
  if (monitoring !== undefined && roles["monitoring-agent"] === undefined) {
    log.atKey(["monitoring"], {
      code: "KEY_MISSING",
      expected: 'the key "monitoring-agent" in roles',
      found: "none",
      hint: "nobody would scrape the job",
    });
  }
}

function checkTargets({ groups }: FleetFile, log: ProblemLog): void {
  for (const [group, { targets }] of Object.entries(groups)) {
    const seen = new Set<string>();
    targets.forEach(({ job, url }, i) => {
      const path = ["groups", group, "targets", i];
      const text = url.replaceAll("${cluster}", "cluster");
      const wrong = urlMismatch(text);
      if (wrong !== undefined) {
        // What is found may hold a password: the place shows enough.
        log.atValue([...path, "url"], wrong);
        return;
      }
      const { host } = new URL(text);
      const key = JSON.stringify([job, host]);
      if (seen.has(key)) {
        log.atValue(path, {
          code: "DUP_TARGET",
          expected: "targets that differ in job or address",
          found: `the job ${JSON.stringify(job)} and ${host} again`,
          hint: "series carry job and instance, not the path: give one of them another job",
        });
      }
      seen.add(key);
    });
  }
}

/** Compactors make points of five minutes from what is older than 40 h, and points of an hour from 10 d on. */
const leastKeptMs = { raw: 40 * 3_600_000, "5m": 10 * 86_400_000 } as const;

function checkBucketRetention({ objectStorage }: FleetFile, log: ProblemLog): void {
  for (const resolution of ["raw", "5m"] as const) {
    const keptMs = objectStorage?.retention[resolution];
    if (keptMs === undefined || keptMs >= leastKeptMs[resolution]) continue;
    log.atValue(["objectStorage", "retention", resolution], {
      code: "RETENTION_ORDER",
      expected: `at least ${formatDuration(leastKeptMs[resolution])}`,
      found: formatDuration(keptMs),
      hint: "the next resolution is made of samples of that age: they would be gone before",
    });
  }
}

function checkBackfill({ twin }: FleetFile, log: ProblemLog): void {
  if (twin.backfill <= twin.retention) return;
  log.atValue(["twin", "backfill"], {
    code: "RANGE",
    expected: `at most the twin's retention, ${formatDuration(twin.retention)}`,
    found: formatDuration(twin.backfill),
    hint: "what is older is dropped at once: raise twin.retention too",
  });
}

function urlMismatch(text: string): (Mismatch & { readonly found: string }) | undefined {
  const expected = "an http or https URL such as http://127.0.0.1:9100/metrics";
  const hint = "it starts with http:// or https://";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return { code: "URL", expected, found: "no URL", hint };
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return { code: "URL", expected, found: `the scheme ${url.protocol.slice(0, -1)}`, hint };
  }
  if (url.username !== "" || url.password !== "") {
    return { code: "URL", expected: "a URL without credentials", found: "user or password in it" };
  }
  if (url.hash !== "") return { code: "URL", expected: "a URL without a fragment", found: "a # in it" };
  if (/^169\.254\.|^\[fe[89ab]/i.test(url.hostname)) {
    return {
      code: "URL",
      expected: "an address that may be scraped",
      found: url.hostname,
      hint: "link-local addresses serve credentials of machines",
    };
  }
  return undefined;
}
