/** A series as PromQL writes it. */
export function formatSeries(metric: Readonly<Record<string, string>>): string {
  const { __name__: name = "", ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return pairs.length === 0 && name !== "" ? name : `${name}{${pairs.join(", ")}}`;
}
