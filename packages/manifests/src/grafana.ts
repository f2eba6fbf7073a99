/** Grafana: replicas that share a database, so that sessions, dashboards and alert states are those of all of them. */
import { dashboardJson, dashboardNames, dashboardsOf, datasource, type Recorder } from "@pleiad/dashboards";
import type { RoleKind } from "@pleiad/fleet";
import type { Deployment } from "./deployment.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { labelsOf } from "./object-labels.ts";
import { serviceUrl } from "./thanos-components.ts";
import { workloadObjects } from "./workload-objects.ts";
import type { Workload } from "./workload.ts";
import { yamlOf } from "./yaml-text.ts";

/** Must be there: `GF_DATABASE_URL`, `GF_SECURITY_ADMIN_USER`, `GF_SECURITY_ADMIN_PASSWORD`, `GF_SECURITY_SECRET_KEY`. */
export const grafanaSecret = "grafana";
export const grafanaSecretKeys = [
  "GF_DATABASE_URL",
  "GF_SECURITY_ADMIN_USER",
  "GF_SECURITY_ADMIN_PASSWORD",
  "GF_SECURITY_SECRET_KEY",
] as const;
const grafanaUserId = 472;

export function grafanaObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const { images, plan, settings, workloads } = deployment;
  const metadata = { namespace: settings.namespace, labels: labelsOf(workload) };
  const entry = workloads.some(({ kind }) => kind === "query-frontend") ? "query-frontend" : "global-querier";
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { ...metadata, name: "grafana-provisioning" },
      data: {
        "datasources.yaml": yamlOf({
          apiVersion: 1,
          datasources: [
            {
              name: "Fleet",
              ...datasource,
              access: "proxy",
              url: serviceUrl(deployment, entry),
              isDefault: true,
              jsonData: {
                prometheusType: "Thanos",
                httpMethod: "POST",
                timeInterval: "30s",
                incrementalQuerying: true,
              },
            },
          ],
        }),
        "dashboards.yaml": yamlOf({
          apiVersion: 1,
          providers: [
            { name: "pleiad", folder: plan.fleet, type: "file", options: { path: "/etc/grafana/dashboards" } },
          ],
        }),
      },
    },
    // One each: together they would outgrow what one ConfigMap may hold.
    ...dashboardsOf(recordersOf(deployment)).map((dashboard) => ({
      apiVersion: "v1" as const,
      kind: "ConfigMap" as const,
      metadata: { ...metadata, name: dashboardConfigMap(dashboard.name) },
      data: { [`${dashboard.name}.json`]: dashboardJson(dashboard) },
    })),
    ...workloadObjects(deployment, workload, {
      version: plan.versions.grafana,
      image: images.grafana,
      args: [],
      env: [
        ...grafanaSecretKeys.map((key) => ({
          name: key,
          valueFrom: { secretKeyRef: { name: grafanaSecret, key } },
        })),
        { name: "GF_AUTH_ANONYMOUS_ENABLED", value: "false" },
        { name: "GF_ANALYTICS_REPORTING_ENABLED", value: "false" },
        { name: "GF_ANALYTICS_CHECK_FOR_UPDATES", value: "false" },
        // Alert states are shared, so that an alert is sent once.
        {
          name: "GF_UNIFIED_ALERTING_HA_PEERS",
          value: `${workload.name}.${settings.namespace}.svc.cluster.local:9094`,
        },
      ],
      mounts: [
        { name: "data", mountPath: "/var/lib/grafana" },
        { name: "tmp", mountPath: "/tmp" },
        {
          name: "provisioning",
          mountPath: "/etc/grafana/provisioning/datasources/fleet.yaml",
          subPath: "datasources.yaml",
        },
        {
          name: "provisioning",
          mountPath: "/etc/grafana/provisioning/dashboards/fleet.yaml",
          subPath: "dashboards.yaml",
        },
        { name: "dashboards", mountPath: "/etc/grafana/dashboards", readOnly: true },
      ],
      volumes: [
        { name: "data", emptyDir: { sizeLimit: "1Gi" } },
        { name: "tmp", emptyDir: { sizeLimit: "100Mi" } },
        { name: "provisioning", configMap: { name: "grafana-provisioning" } },
        {
          name: "dashboards",
          projected: {
            sources: dashboardNames.map((name) => ({ configMap: { name: dashboardConfigMap(name) } })),
          },
        },
      ],
      userId: grafanaUserId,
      probes: { port: 3000, livePath: "/api/health", readyPath: "/api/health" },
    }),
  ];
}

/** Who evaluates the recordings that are rendered with the rules. */
function recordersOf({ workloads }: Deployment): ReadonlySet<Recorder> {
  const has = (kind: RoleKind) => workloads.some((workload) => workload.kind === kind);
  return new Set<Recorder>([
    ...(has("ruler") ? ["ruler" as const] : []),
    ...(has("monitoring-agent") ? ["monitoring" as const] : []),
  ]);
}

function dashboardConfigMap(name: string): string {
  return `dashboard-${name}`;
}
