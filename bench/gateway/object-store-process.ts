/** An object store in a process of its own, as the twin runs it, over a folder that is there. */
import { fileURLToPath } from "node:url";
import { spawnMeasured, type MeasuredProcess } from "../measured-process.ts";
import type { ServedStore } from "../object-store-job.ts";

export async function startStoreProcess(store: ServedStore): Promise<MeasuredProcess> {
  const main = fileURLToPath(new URL("../object-store-job.ts", import.meta.url));
  const measured = await spawnMeasured(process.execPath, [main, JSON.stringify(store)], { hasMessages: true });
  const { child } = measured;
  await new Promise<void>((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("close", (code) =>
      reject(new Error(`the object store ended with ${String(code)}: ${measured.complaint()}`)),
    );
  });
  return measured;
}
