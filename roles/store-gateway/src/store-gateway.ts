/**
 * Serves the history in a bucket over StoreAPI. Several gateways share a bucket by the rules of their options; what one is
 * asked for and how it fails is `@pleiad/bucket-store`'s.
 */
import {
  createBucketStore,
  defaultBucketStore,
  type BucketStoreOptions,
  type BucketStoreStatus,
} from "@pleiad/bucket-store";
import { createProbeApi, loopbackAccess, type AccessOptions } from "@pleiad/http-api";
import { fail, ok, type Result } from "@pleiad/model";
import type { Bucket, Ports, Service } from "@pleiad/ports";
import { defaultStoreHandlers, listenForStore, storeHandlers } from "@pleiad/storeapi";

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
  const { httpAddress, grpcAddress } = options;
  const listening = await listenForStore(ports, { name, grpcAddress, httpAddress, handlers, handleHttp });
  if (!listening.ok) {
    await store.stop();
    return fail({ kind: "address", message: listening.failure });
  }
  const { http, rpc } = listening.value;
  store.start();
  ports.observations.log("info", "The store gateway listens.", {
    name,
    http: http.address,
    grpc: rpc.address,
    bucket: bucket.name,
  });
  return ok({
    name,
    httpAddress: http.address,
    grpcAddress: rpc.address,
    ready,
    status: () => store.status(),
    async stop(graceMs) {
      await listening.value.close(graceMs);
      await store.stop();
    },
  });
}
