/** The object store of a twin: an S3 server whose buckets are folders, and which forgets uploads that nobody completes. */
import { fail, ok, type Result } from "@pleiad/model";
import { createFileBucket, withMetrics } from "@pleiad/objstore";
import type { Listener, Ports, Service } from "@pleiad/ports";
import { createS3Server, defaultS3Limits, type S3Credential, type S3FaultPlan, type S3Limits } from "@pleiad/s3-server";

export interface ObjectStoreOptions {
  readonly name: string; // of the service
  readonly directory: string; // absolute: a folder a bucket, and one for what is under way
  readonly address: string; // of the S3 API
  readonly region: string;
  readonly credentials: readonly S3Credential[]; // at least one: there is no default
  readonly buckets: readonly string[]; // made if need be; no others can be made
  /** Whether those who have a credential may set faults over HTTP: for drills. */
  readonly faultsOverHttp?: boolean;
  readonly limits?: S3Limits;
}

/** Why an object store did not start; the message names what is wrong. */
export interface ObjectStoreFailure {
  readonly kind: "options" | "directory" | "listen";
  readonly message: string;
}

export interface ObjectStore extends Service {
  readonly address: string; // as bound
  setFaults(plan: S3FaultPlan): void;
  /** Where a bucket's objects are, as plain files: what Thanos takes for a bucket of type FILESYSTEM. */
  folderOf(bucket: string): string;
}

/** Where a bucket of a store's directory has its objects, as plain files at the paths that their keys are. */
export function bucketFolderOf(directory: string, bucket: string): string {
  return `${directory}/buckets/${bucket}`;
}

const cleaningIntervalMs = 3_600_000;

export async function startObjectStore(
  options: ObjectStoreOptions,
  ports: Ports,
): Promise<Result<ObjectStore, ObjectStoreFailure>> {
  const { directory, address, region, credentials, faultsOverHttp = false, limits = defaultS3Limits } = options;
  const { clock, files, network, observations } = ports;
  const unfit = options.buckets.find((bucket) => !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket));
  if (unfit !== undefined)
    return fail({ kind: "options", message: `${JSON.stringify(unfit)} is no name for a bucket` });
  if (
    credentials.length === 0 ||
    credentials.some(({ accessKey, secretKey }) => accessKey === "" || secretKey === "")
  ) {
    return fail({ kind: "options", message: "an object store needs credentials, none with an empty key" });
  }
  const folderOf = (bucket: string) => bucketFolderOf(directory, bucket);
  try {
    for (const bucket of options.buckets) await files.makeDirectory(folderOf(bucket));
  } catch (error) {
    return fail({ kind: "directory", message: messageOf(error) });
  }
  const buckets = options.buckets.map((bucket) => {
    return [bucket, withMetrics(createFileBucket(folderOf(bucket), files, clock), observations, clock)] as const;
  });
  const server = createS3Server(
    {
      region,
      credentials,
      buckets: new Map(buckets),
      workspace: createFileBucket(`${directory}/workspace`, files, clock),
      faultsOverHttp,
      limits,
    },
    ports,
  );

  let listener: Listener;
  try {
    listener = await network.serveHttpStreams(address, (request) => server.handle(request));
  } catch (error) {
    return fail({ kind: "listen", message: `S3 on ${address}: ${messageOf(error)}` });
  }
  const stopping = new AbortController();
  const cleaning = cleanUp(server, ports, stopping.signal);
  return ok({
    name: options.name,
    address: listener.address,
    setFaults: (plan) => server.setFaults(plan),
    folderOf,
    ready: () => (stopping.signal.aborted ? { ready: false, reason: "stopping" } : { ready: true }),
    stop: async (graceMs) => {
      stopping.abort();
      await Promise.all([listener.close(graceMs), cleaning]);
    },
  });
}

/** Removes abandoned uploads at once and then every hour, until the signal is aborted. */
async function cleanUp(
  server: ReturnType<typeof createS3Server>,
  { clock, observations }: Ports,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const removed = await server.removeAbandonedUploads();
      if (removed > 0) observations.log("info", "Abandoned uploads were removed.", { uploads: removed });
    } catch (error) {
      observations.log("warn", "Abandoned uploads could not be removed.", { reason: messageOf(error) });
    }
    await clock.sleep(cleaningIntervalMs, signal).catch(() => {
      // Stopping: the loop ends by its own condition.
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
