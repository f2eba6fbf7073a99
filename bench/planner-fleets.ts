/** Fleet files of any size: groups as in the design's proportions, automatic regions, roles sized by the model. */

export interface FleetShape {
  readonly clusters: number;
  readonly nodes: number;
}

/** A fleet file; the same for the same shape. */
export function fleetFileOf({ clusters, nodes }: FleetShape): string {
  const large = Math.round(clusters * 0.8);
  const digits = String(clusters).length;
  const range = (from: number, to: number) =>
    `cluster-{${String(from).padStart(digits, "0")}..${String(to).padStart(digits, "0")}}`;
  const globalNodes = Math.max(2, Math.round(nodes / 25));
  const storageNodes = Math.max(1, Math.round(nodes / 25));
  const node = (i: number) => {
    const tier = i < globalNodes ? 1 : i < nodes - storageNodes ? 2 : 3;
    const zone = `zone-${(i % 3) + 1}`;
    return `  node-${i + 1}: { tier: ${tier}, role: any, cores: 32, memory: 128Gi, disk: 2Ti, network: 10Gbit/s, zone: ${zone} }`;
  };
  return `version: 1
name: bench
policies: { reserve: { cpu: 1, memory: 2Gi }, headroom: 0.1 }
nodes:
${Array.from({ length: nodes }, (_, i) => node(i)).join("\n")}
groups:
  large: { clusters: "${range(1, large)}", series: 100k, importance: high }
  small: { clusters: "${range(large + 1, clusters)}", series: 20k }
roles:
  query-frontend: { replicas: 2 }
  global-querier: { replicas: 2 }
  regional-querier: { replicas: 2 }
  regional-store-gateway: { replicas: 2 }
  global-store-gateway: { replicas: 2 }
  compactor: { replicas: 1, tiers: [1, 2, 3] }
  ruler: { replicas: 2 }
  alertmanager: { replicas: 3, tiers: [1, 3] }
  grafana: { replicas: 2 }
  monitoring-agent: {}
objectStorage:
  kind: external
  bucket: blocks
  capacity: 4Pi
  retention: { raw: 30d, 5m: 90d, 1h: 1y }
`;
}
