/** `node bench/object-store-job.ts OPTIONS`: the object store of the benchmark of a store gateway. */
import { createNodePorts } from "@pleiad/node-ports";
import { silentObservations } from "@pleiad/ports/testing";
import { startObjectStore } from "@pleiad/role-object-store";
import type { S3Credential } from "@pleiad/s3-server";

export interface ServedStore {
  readonly directory: string;
  readonly address: string;
  readonly region: string;
  readonly bucket: string;
  readonly credential: S3Credential;
}

const { bucket, credential, ...rest } = JSON.parse(process.argv[2] ?? "{}") as ServedStore;
const started = await startObjectStore(
  { name: "object-store", ...rest, credentials: [credential], buckets: [bucket] },
  createNodePorts({ observations: silentObservations() }),
);
if (!started.ok) throw new Error(started.failure.message);
// Whoever started it may die of a failure.
process.on("disconnect", () => process.exit());
process.send?.("it listens");
