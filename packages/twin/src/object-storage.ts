/** The bucket of a twin, for the processes that use it: over the S3 API of its object store, with a credential of its own. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Plan } from "@pleiad/fleet";
import { createS3Bucket, defaultS3Transfer, withMetrics } from "@pleiad/objstore";
import type { Bucket, Observations, Ports } from "@pleiad/ports";
import { objectStoreOf } from "./running-roles.ts";

export interface S3Credential {
  readonly accessKey: string;
  readonly secretKey: string;
}

export const s3Region = "twin-1";

/** The credential of a state folder, made by chance at the first start. Only its owner can read the file. */
export function readOrMakeCredential(file: string): S3Credential {
  if (existsSync(file)) {
    const { accessKey, secretKey } = JSON.parse(readFileSync(file, "utf8")) as Partial<S3Credential>;
    if (typeof accessKey === "string" && typeof secretKey === "string" && accessKey !== "" && secretKey !== "") {
      return { accessKey, secretKey };
    }
    throw new Error(`${file} holds no credential; remove it, and a new one is made`);
  }
  const credential = {
    accessKey: `PLEIAD${randomBytes(8).toString("hex").toUpperCase()}`,
    secretKey: randomBytes(30).toString("base64url"),
  };
  // Whole or not there: a crash between the two leaves a file that nobody reads.
  writeFileSync(`${file}.new`, `${JSON.stringify(credential, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return credential;
}

/** Agents share a process: this bounds how many uploads it runs at once. */
const connectionsMax = 8;

/** The bucket for those who share a process, its connections and their bound. */
export interface TwinBucket {
  /** What is done through it is counted and timed there. */
  observedBy(observations: Observations): Bucket;
}

/** The twin's bucket; undefined where the fleet has none of its own. Nothing is loaded or opened before it is used. */
export function openTwinBucket(plan: Plan, credential: S3Credential | undefined, ports: Ports): TwinBucket | undefined {
  const store = objectStoreOf(plan);
  if (store?.s3Port === undefined || plan.objectStorage === undefined || credential === undefined) return undefined;
  const bucket = createS3Bucket(
    {
      bucket: plan.objectStorage.bucket,
      region: s3Region,
      endpoint: `http://127.0.0.1:${store.s3Port}`,
      pathStyle: true,
      credential,
      transfer: { ...defaultS3Transfer, connectionsMax },
    },
    ports,
  );
  return { observedBy: (observations) => withMetrics(bucket, observations, ports.clock) };
}
