/** The small HTTP server of a role or process that has no API of its own: `/metrics`, `/-/healthy`, `/-/ready`. */
import type { Service } from "@pleiad/ports";
import type { RoleWorld } from "./child-process.ts";

export async function serveStatus(name: string, address: string, world: RoleWorld): Promise<Service> {
  const text = (status: number, body: string) => ({ status, headers: { "content-type": "text/plain" }, body });
  const listener = await world.ports.network.serveHttp(address, async ({ path }) => {
    switch (path) {
      case "/metrics":
        return { status: 200, headers: { "content-type": "text/plain; version=0.0.4" }, body: world.renderMetrics() };
      case "/-/healthy":
      case "/-/ready":
        return text(200, "OK\n");
      default:
        return text(404, "Not Found\n");
    }
  });
  return { name, ready: () => ({ ready: true }), stop: (graceMs) => listener.close(graceMs) };
}
