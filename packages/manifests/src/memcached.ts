/** The cache behind the query frontends: answers of past days, which do not change. */
import type { Deployment } from "./deployment.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";
import { containerSecurity, onTiers, podSecurity } from "./pod.ts";
import { memcachedPort } from "./ports.ts";

export const memcachedName = "memcached";
export const memcachedSelector = { "app.kubernetes.io/name": "memcached", "app.kubernetes.io/instance": memcachedName };
const cacheMebibytes = 512;

export function memcachedObjects({ settings, images }: Deployment): readonly KubernetesObject[] {
  const labels = { ...memcachedSelector, "app.kubernetes.io/component": "query-cache", ...commonLabels };
  const metadata = { name: memcachedName, namespace: settings.namespace, labels };
  // What the process itself needs beside what it holds.
  const memory = `${cacheMebibytes + 128}Mi`;
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata, automountServiceAccountToken: false },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        clusterIP: "None",
        selector: memcachedSelector,
        ports: [{ name: memcachedPort.name, port: memcachedPort.port, targetPort: memcachedPort.port }],
      },
    },
    {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata,
      spec: {
        replicas: 1,
        serviceName: memcachedName,
        selector: { matchLabels: memcachedSelector },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: memcachedName,
            automountServiceAccountToken: false,
            priorityClassName: "pleiad-background",
            securityContext: podSecurity(11211),
            affinity: {
              nodeAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: onTiers(["1"]),
              },
            },
            containers: [
              {
                name: memcachedName,
                image: images.memcached,
                args: [`--memory-limit=${cacheMebibytes}`, "--max-item-size=5m", "--conn-limit=4096"],
                ports: [{ name: memcachedPort.name, containerPort: memcachedPort.port }],
                livenessProbe: { tcpSocket: { port: memcachedPort.port }, periodSeconds: 30 },
                readinessProbe: { tcpSocket: { port: memcachedPort.port }, periodSeconds: 5 },
                resources: { requests: { cpu: "250m", memory }, limits: { memory } },
                securityContext: containerSecurity,
              },
            ],
          },
        },
      },
    },
  ];
}
