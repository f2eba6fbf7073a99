import { afterEach, describe, expect, it } from "vitest";
import { ThreadError, type Thread, type Threads } from "./threads.ts";

/** `crash` has a thread end as if by a fault of its own, and gives the call that it was in. */
export function runThreadsAcceptance(
  name: string,
  open: () => Threads,
  crash: (thread: Thread) => Promise<unknown>,
): void {
  describe(`threads: ${name}`, () => {
    const moduleUrl = new URL("./thread-of-acceptance.ts", import.meta.url).href;
    let thread: Thread;
    const start = (data: unknown) => (thread = open().start(moduleUrl, data));
    afterEach(async () => await thread.close());

    it("answers calls in their order, with what it was started with", async () => {
      start(100);
      const answers = await Promise.all([1, 2, 3].map((add) => thread.call({ add })));
      expect(answers).toEqual([101, 102, 103]);
    });

    it("shares memory with who called", async () => {
      start(0);
      const shared = new Int32Array(new SharedArrayBuffer(8));
      await thread.call({ writeTo: shared });
      expect([...shared]).toEqual([7, 0]);
    });

    it("rejects a call whose work throws, and answers the next", async () => {
      start(1);
      const failed = thread.call({ fail: "no such work" });
      const next = thread.call({ add: 1 });
      await expect(failed).rejects.toThrow("no such work");
      await expect(failed).rejects.toMatchObject({ kind: "failed" });
      expect(await next).toBe(2);
    });

    it("rejects what is called when the thread ends, and all after it", async () => {
      start(1);
      expect(thread.ended).toBe(false);
      const calls = [crash(thread), thread.call({ add: 1 })];
      for (const call of calls) await expect(call).rejects.toMatchObject({ kind: "ended" });
      await expect(thread.call({ add: 1 })).rejects.toBeInstanceOf(ThreadError);
      expect(thread.ended).toBe(true);
    });

    it("rejects calls to a thread that was closed", async () => {
      start(1);
      const call = thread.call({ add: 1 });
      call.catch(() => {});
      await thread.close();
      await expect(thread.call({ add: 1 })).rejects.toMatchObject({ kind: "ended" });
      expect(thread.ended).toBe(true);
    });

    it("ends a thread whose module does not load", async () => {
      thread = open().start(new URL("./no-such-module.ts", import.meta.url).href, 0);
      await expect(thread.call({ add: 1 })).rejects.toMatchObject({ kind: "ended" });
    });
  });
}
