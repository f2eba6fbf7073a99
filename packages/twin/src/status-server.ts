/** The HTTP server of a role or process that answers no queries: `/metrics`, `/-/healthy`, `/-/ready`. */
import { createProbeApi, type ProbeRoutesOptions } from "@pleiad/http-api";
import type { Service } from "@pleiad/ports";
import type { RoleWorld } from "./child-process.ts";

export async function serveStatus(
  name: string,
  address: string,
  { ports, renderMetrics }: RoleWorld,
  metricsParts: NonNullable<ProbeRoutesOptions["metricsParts"]> = new Map(),
): Promise<Service> {
  const ready = () => ({ ready: true });
  const handle = createProbeApi({ ready, renderMetrics, metricsParts }, ports);
  const listener = await ports.network.serveHttp(address, handle);
  return { name, ready, stop: (graceMs) => listener.close(graceMs) };
}
