/** Compacts a bucket until it is killed: `node crash-compactor.ts <work folder> <bucket> <alone | beside a writer>`. */
import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { createCompactor } from "@pleiad/compaction";
import { createNodePorts } from "@pleiad/node-ports";
import type { Bucket } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { openCrashBucket } from "./crash-bucket.ts";
import { compactorOptionsOf } from "./crash-workload.ts";

const [directory = "", address = "", company = ""] = process.argv.slice(2);
const ports = createNodePorts({ observations: silentObservations() });
const created = createCompactor(
  telling(openCrashBucket(address)),
  compactorOptionsOf(directory, company === "alone"),
  ports,
);
if (!created.ok) throw new Error(created.failure);
const compactor = created.value;
let isFirst = true;
tell("open");
for (;;) {
  const outcome = await compactor.runPass(new AbortController().signal);
  // A store may be killed as well; a folder answers.
  if (outcome.kind === "again" && address.startsWith("file:")) throw new Error(outcome.reasons.join("; "));
  const [halted] = compactor.status().halted;
  if (halted !== undefined) throw new Error(halted.reason);
  if (isFirst) flushCompileCache();
  isFirst = false;
  await sleep(5);
}

/** The same bucket, of which each operation is told before it begins. */
function telling(bucket: Bucket): Bucket {
  return {
    name: bucket.name,
    put: (key, ...rest) => (tell(`put ${key}`), bucket.put(key, ...rest)),
    get: (key, ...rest) => (tell(`get ${key}`), bucket.get(key, ...rest)),
    attributes: (key, ...rest) => (tell(`attributes ${key}`), bucket.attributes(key, ...rest)),
    delete: (key, ...rest) => (tell(`delete ${key}`), bucket.delete(key, ...rest)),
    list: (prefix, ...rest) => (tell(`list ${prefix}`), bucket.list(prefix, ...rest)),
  };
}

/** Out of the process before the next instruction. */
function tell(line: string): void {
  writeSync(1, `${line}\n`);
}
