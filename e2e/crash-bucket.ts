/** The bucket of processes that are killed: `file:<folder>`, or `s3:<host:port>` of a store that is one of them. */
import { nodeClock, nodeFiles, nodeRandom } from "@pleiad/node-ports";
import { createFileBucket, createS3Bucket, defaultS3Transfer } from "@pleiad/objstore";
import type { Bucket } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";

export const crashBucket = "metrics";
export const crashRegion = "crash-1";
export const crashCredential = { accessKey: "AKIACRASH", secretKey: "crash/secret" };

/** Gives up soon, as the store may be dead. */
const transfer = { ...defaultS3Transfer, attempts: 2, pauseMs: 1, pauseMsMax: 5, connectMs: 500, answerMs: 2_000 };

export function openCrashBucket(address: string): Bucket {
  if (address.startsWith("file:")) return createFileBucket(address.slice(5), nodeFiles(), nodeClock());
  const endpoint = `http://${address.slice(3)}`;
  return createS3Bucket(
    { bucket: crashBucket, region: crashRegion, endpoint, pathStyle: true, credential: crashCredential, transfer },
    { clock: nodeClock(), files: nodeFiles(), random: nodeRandom(), observations: silentObservations() },
  );
}
