/** One tenant of a receiver: its data folder, under its labels, within its limits; and its way into the bucket. */
import type { SharedCache } from "@pleiad/blocks";
import { withConstantLabel } from "@pleiad/exposition";
import { defaultHead, formatHeadFailure } from "@pleiad/head";
import { createQueryGate } from "@pleiad/http-api";
import { fail, ok, type Labels, type Result } from "@pleiad/model";
import type { Bucket, HttpRequest, HttpResponse, Ports } from "@pleiad/ports";
import { createWriteReceiver, refusalAnswer, type WriteReceiverOptions, type WriteTables } from "@pleiad/remote";
import {
  createShipper,
  defaultShipper,
  defaultTsdb,
  formatTsdbFailure,
  openTsdb,
  startMaintenance,
  type Tsdb,
} from "@pleiad/tsdb";
import type { TenantLimits } from "./tenants-file.ts";

export interface TenantOptions {
  readonly name: string;
  readonly directory: string;
  readonly labels: Labels;
  readonly limits: TenantLimits;
}

/** What all tenants of a receiver share. */
export interface TenantStorage {
  readonly retentionMs: number;
  readonly outOfOrderWindowMs: number;
  readonly futureMaxMs: number;
  readonly objectStorage: Bucket | undefined;
  readonly blockCache: SharedCache;
  readonly intern: (text: string) => string;
  readonly write: WriteReceiverOptions;
  readonly tables: WriteTables;
}

export interface Tenant {
  readonly options: TenantOptions;
  readonly tsdb: Tsdb;
  /** Answers a remote write request. */
  write(request: HttpRequest): Promise<HttpResponse>;
  /** Why its head takes no samples; undefined where it does. */
  fault(): string | undefined;
  /** Takes no more, lets what runs end; all that was acknowledged is durable then. */
  close(): Promise<void>;
}

/** Of one block, below what all blocks share. */
const cacheBytesMaxPerBlock = 1024 * 1024;

/** Opens the folder, made if it is not there; resolves when all that was acknowledged before is there again. */
export async function openTenant(
  options: TenantOptions,
  storage: TenantStorage,
  ports: Ports,
): Promise<Result<Tenant, string>> {
  const { name, directory, labels, limits } = options;
  const own: Ports = { ...ports, observations: withConstantLabel(ports.observations, "tenant", name) };
  const { objectStorage } = storage;
  const shipper =
    objectStorage === undefined
      ? undefined
      : createShipper(objectStorage, { ...defaultShipper, source: "receive", directory, externalLabels: labels }, own);
  const opened = await openTsdb(
    directory,
    {
      ...defaultTsdb,
      head: {
        ...defaultHead,
        externalLabels: labels,
        intern: storage.intern,
        limits: { ...defaultHead.limits, seriesMax: limits.seriesMax },
        outOfOrderWindowMs: storage.outOfOrderWindowMs,
        futureMaxMs: storage.futureMaxMs,
      },
      retention: { retentionMs: storage.retentionMs, retentionBytesMax: 0 },
      cacheBytesMaxPerBlock,
      sharedCache: storage.blockCache,
      ...(shipper === undefined ? {} : { mayRemove: (ulid: string) => shipper.isUploaded(ulid) }),
    },
    own,
  );
  if (!opened.ok) return fail(`tenant ${name}: ${formatTsdbFailure(opened.failure)}`);
  const tsdb = opened.value;
  const receiver = createWriteReceiver(storage.write, own.observations, storage.tables);
  const gate = createQueryGate(limits);
  const maintenance = startMaintenance(tsdb, own);
  const stopping = new AbortController();
  const shipping = shipper?.run(stopping.signal);

  return ok({
    options,
    tsdb,
    async write(request) {
      const { length } = request.body;
      if (length > limits.requestBytesMax) {
        const reason = `a request of ${length} bytes; at most ${limits.requestBytesMax} are taken`;
        return refusalAnswer({ status: 413, reason });
      }
      const place = await gate.enter(request.signal);
      if (!place.ok) {
        const reason = `more than ${limits.concurrentMax} requests at once, and ${limits.waitingMax} wait`;
        return refusalAnswer(place.failure.kind === "full" ? { status: 429, reason } : { status: 503, reason: "gone" });
      }
      try {
        return await receiver.receive(request, tsdb.head);
      } finally {
        place.value();
      }
    },
    fault() {
      const { commitFailure } = tsdb.head.statistics();
      return commitFailure === undefined ? undefined : `tenant ${name}: ${formatHeadFailure(commitFailure)}`;
    },
    async close() {
      // An upload that is broken off goes on at the next start.
      stopping.abort();
      await Promise.all([maintenance.stop(), shipping]);
      const closed = await tsdb.close();
      if (closed.ok) return;
      const reason = formatTsdbFailure(closed.failure);
      own.observations.log("error", "The data folder could not be closed in good order.", { reason });
    },
  });
}
