/** Rules, targets and metadata in Prometheus's shapes: plain data, its fields in the order of Prometheus's. */
import {
  formatInstant,
  labelsToRecord,
  labelValue,
  type ActiveTarget,
  type AlertInstance,
  type DroppedTarget,
  type MetricMetadata,
  type Rule,
  type RuleGroup,
} from "@pleiad/model";

export function groupJson(group: RuleGroup): unknown {
  return {
    name: group.name,
    file: group.file,
    rules: group.rules.map(ruleJson),
    interval: group.intervalSeconds,
    limit: group.limit,
    evaluationTime: group.evaluationSeconds,
    lastEvaluation: formatInstant(group.lastEvaluation),
  };
}

function ruleJson(rule: Rule): unknown {
  const { name, query, health, lastError } = rule;
  const outcome = {
    health,
    ...(lastError === "" ? {} : { lastError }),
    evaluationTime: rule.evaluationSeconds,
    lastEvaluation: formatInstant(rule.lastEvaluation),
  };
  const labels = labelsToRecord(rule.labels);
  if (rule.kind === "recording") {
    return { name, query, ...(rule.labels.length === 0 ? {} : { labels }), ...outcome, type: "recording" };
  }
  return {
    state: rule.state,
    name,
    query,
    duration: rule.durationSeconds,
    keepFiringFor: rule.keepFiringForSeconds,
    labels,
    annotations: labelsToRecord(rule.annotations),
    alerts: rule.alerts.map(alertJson),
    ...outcome,
    type: "alerting",
  };
}

export function alertJson({ labels, annotations, state, activeAt, keepFiringSince, value }: AlertInstance): unknown {
  return {
    labels: labelsToRecord(labels),
    annotations: labelsToRecord(annotations),
    state,
    ...(activeAt === undefined ? {} : { activeAt: formatInstant(activeAt) }),
    ...(keepFiringSince === undefined ? {} : { keepFiringSince: formatInstant(keepFiringSince) }),
    value,
  };
}

export function targetsJson(active: readonly ActiveTarget[], dropped: readonly DroppedTarget[]): unknown {
  return {
    activeTargets: active.map(targetJson),
    droppedTargets: dropped.map(({ discoveredLabels }) => ({
      discoveredLabels: labelsToRecord(discoveredLabels),
      scrapePool: poolOf({ discoveredLabels }),
    })),
    droppedTargetCounts: countsOf(dropped),
  };
}

function targetJson(target: ActiveTarget): unknown {
  const { discoveredLabels, labels, scrapePool, scrapeUrl, globalUrl, lastError, health } = target;
  return {
    discoveredLabels: labelsToRecord(discoveredLabels),
    labels: labelsToRecord(labels),
    ...{ scrapePool, scrapeUrl, globalUrl, lastError },
    lastScrape: formatInstant(target.lastScrape),
    lastScrapeDuration: target.lastScrapeSeconds,
    health,
    // Thanos's message has no place for them, but Prometheus tells them among the labels too.
    scrapeInterval: labelValue(discoveredLabels, "__scrape_interval__"),
    scrapeTimeout: labelValue(discoveredLabels, "__scrape_timeout__"),
  };
}

/** The job is the pool's name, unless a target was discovered with another one. */
export function poolOf({ discoveredLabels }: DroppedTarget): string {
  return labelValue(discoveredLabels, "job");
}

function countsOf(dropped: readonly DroppedTarget[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const target of dropped) counts.set(poolOf(target), (counts.get(poolOf(target)) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** At most `limitPerMetric` sayings of each; all where it is not positive. */
export function metadataJson(metrics: readonly MetricMetadata[], limitPerMetric: number): unknown {
  return Object.fromEntries(
    metrics.map(({ metric, metas }) => [
      metric,
      (limitPerMetric > 0 ? metas.slice(0, limitPerMetric) : metas).map(({ type, help, unit }) => ({
        type,
        help,
        unit,
      })),
    ]),
  );
}
