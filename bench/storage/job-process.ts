/** A job of our storage as a process: started, led from stage to stage, measured, killed. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { mallocSettings, memoryFlags } from "@pleiad/node-ports";
import { spawnMeasured, type MeasuredProcess } from "../measured-process.ts";
import type { JobName, jobs, Stage } from "./jobs.ts";

export interface JobProcess extends MeasuredProcess {
  /** Lets the job go on, but for the first time, and waits for its next stage. */
  stage(): Promise<Stage>;
}

export type JobOptions<Name extends JobName> = Parameters<(typeof jobs)[Name]>[0];

export async function startJob<Name extends JobName>(name: Name, options: JobOptions<Name>): Promise<JobProcess> {
  const main = fileURLToPath(new URL("../storage-job.ts", import.meta.url));
  const args = ["--expose-gc", ...memoryFlags, main, name, JSON.stringify(options)];
  const measured = await spawnMeasured(process.execPath, args, { hasMessages: true, env: mallocSettings });
  const { child } = measured;
  return {
    ...measured,
    async stage() {
      const over = new AbortController();
      const { signal } = over;
      const ended = once(child, "close", { signal }).then(([code]) => {
        throw new Error(`${name} ended with ${String(code)}: ${measured.complaint()}`);
      });
      try {
        const given = once(child, "message", { signal }) as Promise<[Stage]>;
        child.send("go");
        const [stage] = await Promise.race([given, ended]);
        return stage;
      } finally {
        // What comes later is no failure of this stage.
        ended.catch(() => {});
        over.abort();
      }
    },
  };
}
