/** Writes to a data folder until it is killed: `node crash-writer.ts <data folder> <bucket> <first commit>`. */
import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { labelsFromRecord } from "@pleiad/model";
import { createNodePorts } from "@pleiad/node-ports";
import { silentObservations } from "@pleiad/ports/testing";
import { createShipper, formatTsdbFailure, openTsdb } from "@pleiad/tsdb";
import { openCrashBucket } from "./crash-bucket.ts";
import { samplesOf, shipperOptionsOf, workloadOptions } from "./crash-workload.ts";

const commitsPerMaintenance = 4;
let isFirst = true;

const [directory = "", address = "", first = ""] = process.argv.slice(2);
const ports = createNodePorts({ observations: silentObservations() });
const shipper = createShipper(openCrashBucket(address), shipperOptionsOf(directory), ports);
const { signal } = new AbortController();
// The record of what is uploaded, before retention asks for it.
await shipper.sync(signal);
const opened = await openTsdb(directory, { ...workloadOptions, mayRemove: (ulid) => shipper.isUploaded(ulid) }, ports);
if (!opened.ok) throw new Error(formatTsdbFailure(opened.failure));
const tsdb = opened.value;
tell("open");
for (let number = Number(first); ; number++) {
  const appender = tsdb.head.appender();
  for (const { name, timestampMs, value } of samplesOf(number)) {
    const ref = appender.series(labelsFromRecord({ __name__: name }));
    if (typeof ref !== "number") throw new Error(ref.kind);
    const outcome = appender.append(ref, timestampMs, value);
    if (outcome !== "appended") throw new Error(`commit ${number}, ${name} at ${timestampMs}: ${outcome}`);
  }
  tell(`try ${number}`);
  const committed = await appender.commit();
  if (!committed.ok) throw new Error(committed.failure.kind);
  tell(`ack ${number}`);
  if (number % commitsPerMaintenance !== 0) continue;
  // At the same time, as in life.
  const [maintained, shipped] = await Promise.all([tsdb.maintain(ports.clock.wallMs()), shipper.sync(signal)]);
  if (!maintained.ok) throw new Error(formatTsdbFailure(maintained.failure));
  // A store may be killed as well; a folder answers. A compactor may have been quicker than the record of an upload.
  const isExpected = address.startsWith("s3:") || shipped.failure?.includes("marked for deletion") === true;
  if (shipped.failure !== undefined && !isExpected) throw new Error(shipped.failure);
  if (isFirst) flushCompileCache();
  isFirst = false;
}

/** Out of the process before the next instruction. */
function tell(line: string): void {
  writeSync(1, `${line}\n`);
}
