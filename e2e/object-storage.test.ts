/** The S3 driver over loopback: against the object store of the twin, whole and with its faults. */
import { nodeClock, nodeRandom } from "@pleiad/node-ports";
import { createS3Bucket, defaultS3Transfer, type S3Transfer } from "@pleiad/objstore";
import { runBucketAcceptance } from "@pleiad/ports/acceptance";
import { silentObservations } from "@pleiad/ports/testing";
import { openObjectStore, type ObjectStoreUnderTest } from "./object-store-under-test.ts";

const impatient: S3Transfer = { ...defaultS3Transfer, partBytes: 65_536, pauseMs: 1, pauseMsMax: 10, answerMs: 5_000 };

function s3BucketOf(under: ObjectStoreUnderTest, transfer: Partial<S3Transfer> = {}) {
  const { bucket, region, endpoint, accessKey, secretKey } = under;
  return createS3Bucket(
    {
      bucket,
      region,
      endpoint,
      pathStyle: true,
      credential: { accessKey, secretKey },
      transfer: { ...impatient, ...transfer },
    },
    { clock: nodeClock(), random: nodeRandom(), observations: silentObservations() },
  );
}

runBucketAcceptance("S3 over loopback", async () => {
  const under = await openObjectStore({ partBytesMin: 1 });
  return { bucket: s3BucketOf(under), close: () => under.close() };
});
