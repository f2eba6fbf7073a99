/** An object store as the twin runs it: the role over a folder and loopback, with a credential of its own. */
import { createNodePorts } from "@pleiad/node-ports";
import { silentObservations } from "@pleiad/ports/testing";
import { startObjectStore, type ObjectStore } from "@pleiad/role-object-store";
import { defaultS3Limits, type S3Limits } from "@pleiad/s3-server";
import { temporaryFolder } from "./twin-under-test.ts";

export interface ObjectStoreUnderTest {
  readonly store: ObjectStore;
  readonly port: number;
  readonly endpoint: string; // with its scheme
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly folder: string; // of the bucket's objects
  close(): Promise<void>;
}

export async function openObjectStore(limits: Partial<S3Limits> = {}): Promise<ObjectStoreUnderTest> {
  const folder = temporaryFolder();
  const credential = { accessKey: "AKIATWIN", secretKey: "secret/of+the=twin" };
  const bucket = "metrics";
  const region = "twin-1";
  const started = await startObjectStore(
    {
      name: "object-store",
      directory: folder.path,
      address: "127.0.0.1:0",
      region,
      credentials: [credential],
      buckets: [bucket, "other"],
      faultsOverHttp: true,
      limits: { ...defaultS3Limits, ...limits },
    },
    createNodePorts({ observations: silentObservations() }),
  );
  if (!started.ok) throw new Error(started.failure.message);
  const store = started.value;
  return {
    store,
    port: Number(store.address.split(":")[1]),
    endpoint: `http://${store.address}`,
    region,
    bucket,
    ...credential,
    folder: store.folderOf(bucket),
    close: async () => {
      await store.stop(0);
      folder.remove();
    },
  };
}
