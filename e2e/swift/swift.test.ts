/** The S3 driver against a server that is not of our making: Debian's Swift with its S3 API. */
import { nodeClock, nodeFiles, nodeRandom } from "@pleiad/node-ports";
import { createS3Bucket, defaultS3Transfer } from "@pleiad/objstore";
import { runBucketAcceptance } from "@pleiad/ports/acceptance";
import { silentObservations } from "@pleiad/ports/testing";
import { afterAll, beforeAll } from "vitest";
import { startSwift, type SwiftServer } from "./swift-server.ts";

const basePort = Number(process.env["PLEIAD_SWIFT_PORT"] ?? "27410");
let swift: SwiftServer;
let bucketCount = 0;

beforeAll(async () => {
  swift = await startSwift(basePort);
}, 120_000);
afterAll(() => swift?.stop());

const exceptions = {
  "with ifAbsent lets one of many win":
    "Swift answers 501 to If-None-Match, and the driver then looks before it puts: two at once may both win",
};

async function open() {
  const bucket = `bucket-${++bucketCount}`;
  await swift.emptyBucket(bucket);
  const { endpoint, region } = swift;
  return {
    bucket: createS3Bucket(
      {
        bucket,
        region,
        endpoint,
        pathStyle: true,
        credential: swift,
        transfer: { ...defaultS3Transfer, partBytes: 65_536, pauseMs: 10, pauseMsMax: 100 },
      },
      { clock: nodeClock(), files: nodeFiles(), random: nodeRandom(), observations: silentObservations() },
    ),
    close: async () => {},
  };
}

runBucketAcceptance("S3 in Swift", open, exceptions);
