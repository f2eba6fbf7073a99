/**
 * Serves the history in a bucket over StoreAPI. Several gateways share a bucket by the rules of their options; what one is
 * asked for and how it fails is `@pleiad/bucket-store`'s.
 */
import {
  createBucketStore,
  defaultBucketStore,
  type BucketStore,
  type BucketStoreOptions,
  type BucketStoreStatus,
} from "@pleiad/bucket-store";
import { createProbeApi, loopbackAccess, type AccessOptions } from "@pleiad/http-api";
import { fail, ok, type Result } from "@pleiad/model";
import type { Bucket, Listener, Ports, Service } from "@pleiad/ports";
import { defaultStoreHandlers, storeHandlers } from "@pleiad/storeapi";

export interface StoreGatewayOptions {
  readonly name: string;
  readonly httpAddress: string;
  readonly grpcAddress: string;
  /** For index headers; absolute, for this gateway alone. */
  readonly directory: string;
  /** What differs from the defaults of `@pleiad/bucket-store`: its shard, its caches, its limits. */
  readonly store?: Partial<Omit<BucketStoreOptions, "name" | "directory">>;
  /** Own metrics in the text exposition format: those that `ports.observations` collects. */
  readonly renderMetrics: () => string;
  /** Who may call over HTTP; by default only by a loopback name. */
  readonly access?: AccessOptions;
  readonly storeRequestsMax?: number; // at once: those that run, and those that wait for them
}

export type StoreGatewayPorts = Pick<Ports, "clock" | "files" | "network" | "observations" | "random">;

export interface StoreGateway extends Service {
  readonly httpAddress: string; // as bound
  readonly grpcAddress: string;
  status(): BucketStoreStatus;
}

/** Why a gateway did not start. `message` is a sentence for people and names what to change. */
export interface StoreGatewayFailure {
  readonly kind: "address" | "options";
  readonly message: string;
}

/** Where over HTTP the blocks are listed. */
export const statusPath = "/api/v1/blocks";

/** Resolves when it listens on both addresses; it is ready when it has read the list of blocks once. */
export async function startStoreGateway(
  bucket: Bucket,
  options: StoreGatewayOptions,
  ports: StoreGatewayPorts,
): Promise<Result<StoreGateway, StoreGatewayFailure>> {
  const { name, directory, renderMetrics, access = loopbackAccess } = options;
  const made = createBucketStore(bucket, { ...defaultBucketStore, ...options.store, name, directory }, ports);
  if (!made.ok) return fail({ kind: "options", message: `${name}: ${made.failure}` });
  const store = made.value;
  const ready = () => store.ready();
  const status = { path: statusPath, read: () => store.status() };
  const handleHttp = createProbeApi({ ready, renderMetrics, access, status }, ports);
  const handlers = storeHandlers(store, () => ({ componentType: "store", ...store.coverage(), ready: ready().ready }), {
    ...defaultStoreHandlers,
    requestsMax: options.storeRequestsMax ?? defaultStoreHandlers.requestsMax,
  });
  const rpc = await bind(name, "StoreAPI", () => ports.network.serveRpc(options.grpcAddress, handlers));
  if (!rpc.ok) return await abandon(store, [], rpc.failure);
  const http = await bind(name, "HTTP", () => ports.network.serveHttp(options.httpAddress, handleHttp));
  if (!http.ok) return await abandon(store, [rpc.value], http.failure);
  store.start();
  ports.observations.log("info", "The store gateway listens.", {
    name,
    http: http.value.address,
    grpc: rpc.value.address,
    bucket: bucket.name,
  });
  return ok({
    name,
    httpAddress: http.value.address,
    grpcAddress: rpc.value.address,
    ready,
    status: () => store.status(),
    async stop(graceMs) {
      await Promise.all([http.value.close(graceMs), rpc.value.close(graceMs)]);
      await store.stop();
    },
  });
}

/** The failure names the address: it comes from the network's own error. */
async function bind(
  name: string,
  what: string,
  listen: () => Promise<Listener>,
): Promise<Result<Listener, StoreGatewayFailure>> {
  try {
    return ok(await listen());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail({ kind: "address", message: `${name} cannot listen for ${what}: ${reason}` });
  }
}

async function abandon(
  store: BucketStore,
  listeners: readonly Listener[],
  failure: StoreGatewayFailure,
): Promise<Result<StoreGateway, StoreGatewayFailure>> {
  for (const listener of listeners) await listener.close(0);
  await store.stop();
  return fail(failure);
}
