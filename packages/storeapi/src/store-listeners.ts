/** The two addresses of a role that serves StoreAPI: gRPC for those who ask, HTTP for probes and people. */
import { fail, ok, type Result } from "@pleiad/model";
import type { Listener, Network, Ports, ServerTls } from "@pleiad/ports";
import { withServerMetrics } from "./server-metrics.ts";

export interface StoreListenerOptions {
  /** Of the role, for failures. */
  readonly name: string;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly handlers: Parameters<Network["serveRpc"]>[1];
  readonly handleHttp: Parameters<Network["serveHttp"]>[1];
  /** Of StoreAPI; absent: plain text. */
  readonly tls?: ServerTls | undefined;
}

export interface StoreListeners {
  readonly rpc: Listener;
  readonly http: Listener;
  close(graceMs: number): Promise<void>;
}

/**
 * Both listen, or neither does: then the failure is a sentence that names the address, from the network's own error. Calls
 * of StoreAPI are counted and timed.
 */
export async function listenForStore(
  ports: Pick<Ports, "clock" | "observations"> & { readonly network: Pick<Network, "serveHttp" | "serveRpc"> },
  { name, grpcAddress, httpAddress, handlers, handleHttp, tls }: StoreListenerOptions,
): Promise<Result<StoreListeners, string>> {
  const { network } = ports;
  const secured = tls === undefined ? {} : { tls };
  const rpc = await bind(name, "StoreAPI", () =>
    network.serveRpc(grpcAddress, withServerMetrics(handlers, ports), secured),
  );
  if (!rpc.ok) return rpc;
  const http = await bind(name, "HTTP", () => network.serveHttp(httpAddress, handleHttp));
  if (!http.ok) {
    await rpc.value.close(0);
    return http;
  }
  return ok({
    rpc: rpc.value,
    http: http.value,
    async close(graceMs) {
      await Promise.all([http.value.close(graceMs), rpc.value.close(graceMs)]);
    },
  });
}

async function bind(name: string, what: string, listen: () => Promise<Listener>): Promise<Result<Listener, string>> {
  try {
    return ok(await listen());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail(`${name} cannot listen for ${what}: ${reason}`);
  }
}
