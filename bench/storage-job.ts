/** `node bench/storage-job.ts JOB OPTIONS`: a job of storage/jobs.ts, for the process that `storage.ts` leads by messages. */
import { once } from "node:events";
import { jobs, type JobName, type Stage } from "./storage/jobs.ts";

const [name = "", options = ""] = process.argv.slice(2);
const job = jobs[name as JobName] as ((options: unknown) => AsyncGenerator<Stage>) | undefined;
if (job === undefined) throw new Error(`there is no job ${name}; there are ${Object.keys(jobs).join(", ")}`);
const stages = job(JSON.parse(options));
// Each message asks for one stage.
for (;;) {
  await once(process, "message");
  const stage = await stages.next();
  if (stage.done === true) break;
  process.send?.(stage.value);
}
process.disconnect?.();
