/** The module that the acceptance suite of threads has run. */
import type { ThreadModule } from "./threads.ts";

interface Message {
  readonly add?: number;
  readonly writeTo?: Int32Array;
  readonly fail?: string;
  readonly exit?: boolean;
}

export const onThread: ThreadModule["onThread"] = (data) => (message) => {
  const { add = 0, writeTo, fail, exit = false } = message as Message;
  if (fail !== undefined) throw new Error(fail);
  if (exit) process.exit(1);
  if (writeTo !== undefined) Atomics.store(writeTo, 0, 7);
  return (data as number) + add;
};
