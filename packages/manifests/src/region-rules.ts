/**
 * The rules of one region, for the rulers. Asked at the top: a cluster that is missing says nothing of itself. They stand
 * with the region's endpoints, since both say which clusters there are.
 */
import { alertRule, certificateEnds, recordingRules, type AlertRule, type RecordingRule } from "./alert-rule.ts";
import type { Deployment } from "./deployment.ts";
import type { IConfigMap } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";
import { yamlOf } from "./yaml-text.ts";

interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly (AlertRule | RecordingRule)[] }[];
}

/** Names of the ConfigMaps that hold the rulers' rules: one a region. */
export function ruleConfigMaps({ plan }: Deployment): readonly string[] {
  return plan.regions.map(({ name }) => `rules-${name}`);
}

export function regionRules(deployment: Deployment, region: string): readonly IConfigMap[] {
  const { settings, workloads, plan } = deployment;
  const clusters = plan.regions.find(({ name }) => name === region)?.clusters ?? [];
  if (clusters.length === 0 || !workloads.some(({ kind }) => kind === "ruler")) return [];
  const file: RuleFile = {
    groups: [
      { name: `${region}-recordings`, rules: recordingRules("ruler", `region="${region}"`) },
      { name: region, rules: regionAlerts(deployment, region, clusters.length) },
    ],
  };
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `rules-${region}`, namespace: settings.namespace, labels: { ...commonLabels } },
      data: { [`${region}.yaml`]: yamlOf(file) },
    },
  ];
}

function regionAlerts({ settings }: Deployment, region: string, clusterCount: number): readonly AlertRule[] {
  const within = `region="${region}"`;
  // Two regions that lack clusters are two alerts.
  const regional = (...[alert, severity, expr, wait, summary]: Parameters<typeof alertRule>) =>
    alertRule(alert, severity, expr, wait, summary, { region });
  return [
    regional(
      "PleiadRegionIncomplete",
      "critical",
      `(count(region_cluster:up:count{${within}}) or vector(0)) < ${clusterCount}`,
      "10m",
      `Of the ${clusterCount} clusters of region ${region}, {{ $value }} are seen.`,
    ),
    regional(
      "PleiadClusterMissing",
      "critical",
      `group by (cluster) (max_over_time(region_cluster:up:count{${within}}[1d])) unless group by (cluster) (up{${within}})`,
      "10m",
      "The cluster {{ $labels.cluster }} was seen within a day, and is not now.",
    ),
    regional(
      "PleiadClusterTargetsDown",
      "warning",
      `region_cluster:up_down:sum{${within}} / region_cluster:up:count{${within}} > 0.1`,
      "30m",
      "Of the targets of {{ $labels.cluster }}, {{ $value | humanizePercentage }} are down.",
    ),
    regional(
      "PleiadClusterUploadsOld",
      "critical",
      `time() - region_cluster:thanos_objstore_bucket_last_successful_upload_time:max{${within}} > 3 * 3600`,
      "15m",
      "The cluster {{ $labels.cluster }} has uploaded no block for {{ $value | humanizeDuration }}: what its retention passes is lost.",
    ),
    regional(
      "PleiadClusterNeverUploads",
      "critical",
      `max by (cluster) (thanos_objstore_bucket_last_successful_upload_time{${within}}) == 0`,
      "4h",
      "The cluster {{ $labels.cluster }} has uploaded no block since its sidecar started.",
    ),
    regional(
      "PleiadClusterUploadsFail",
      "critical",
      `sum by (cluster) (increase(thanos_shipper_upload_failures_total{${within}}[1h])) > 0`,
      "30m",
      "Uploads of the cluster {{ $labels.cluster }} fail.",
    ),
    ...(settings.certificates === "cert-manager"
      ? [
          regional(
            "PleiadClusterCertificateEnds",
            "critical",
            `min by (cluster, name) (${certificateEnds(settings.namespace, within)}) - time() < 14 * 86400`,
            "1h",
            "The certificate {{ $labels.name }} of {{ $labels.cluster }} ends in {{ $value | humanizeDuration }}.",
          ),
        ]
      : []),
  ];
}
