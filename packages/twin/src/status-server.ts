/** The HTTP server of a role or process that answers no queries: `/metrics`, `/-/healthy`, `/-/ready`. */
import { createProbeApi } from "@pleiad/http-api";
import type { Service } from "@pleiad/ports";
import type { RoleWorld } from "./child-process.ts";

export async function serveStatus(
  name: string,
  address: string,
  { ports, renderMetrics }: RoleWorld,
): Promise<Service> {
  const ready = () => ({ ready: true });
  const listener = await ports.network.serveHttp(address, createProbeApi({ ready, renderMetrics }, ports));
  return { name, ready, stop: (graceMs) => listener.close(graceMs) };
}
