/** An object store that runs until it is killed: `node crash-store.ts <folder>`. Its objects are in `<folder>/buckets`. */
import { flushCompileCache } from "node:module";
import { createNodePorts } from "@pleiad/node-ports";
import { silentObservations } from "@pleiad/ports/testing";
import { startObjectStore } from "@pleiad/role-object-store";
import { crashBucket, crashCredential, crashRegion } from "./crash-bucket.ts";

const [directory = ""] = process.argv.slice(2);
const started = await startObjectStore(
  {
    name: "object-store",
    directory,
    address: "127.0.0.1:0",
    region: crashRegion,
    credentials: [crashCredential],
    buckets: [crashBucket],
  },
  createNodePorts({ observations: silentObservations() }),
);
if (!started.ok) throw new Error(started.failure.message);
process.stdout.write(`open ${started.value.address}\n`);
flushCompileCache();
// The driver's end of it closes with the driver: a store writes nothing that would tell it so.
process.stdin.resume().once("end", () => process.exit(0));
