/** What a Prometheus may read of the Kubernetes API: what it discovers targets by, and nothing of their secrets. */
import type { KubernetesObject } from "./kubernetes-object.ts";

interface Account {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Record<string, string>;
}

const discovered = [
  { apiGroups: [""], resources: ["services", "endpoints", "pods"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["get", "list", "watch"] },
];

/** Rights in one namespace, its own unless another is named; or in all of them and on the nodes' metrics. */
export function scraperRules(
  account: Account,
  scope: "namespace" | "cluster",
  of = account.namespace,
): readonly KubernetesObject[] {
  const { name, namespace, labels } = account;
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  if (scope === "namespace") {
    const metadata = { name: of === namespace ? name : `pleiad-${name}`, namespace: of, labels };
    return [
      { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata, rules: discovered },
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "RoleBinding",
        metadata,
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
        subjects,
      },
    ];
  }
  const metadata = { name: `pleiad-${name}`, labels };
  return [
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata,
      rules: [
        ...discovered,
        { apiGroups: [""], resources: ["nodes", "nodes/metrics"], verbs: ["get", "list", "watch"] },
        { nonResourceURLs: ["/metrics"], verbs: ["get"] },
      ],
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: metadata.name },
      subjects,
    },
  ];
}
