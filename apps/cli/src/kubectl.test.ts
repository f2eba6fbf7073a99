/** Real children behind the port: how each end of one is told, and that none is left over. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { kubectlProgram } from "./kubectl.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "pleiad-kubectl-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(script: string): ReturnType<typeof kubectlProgram> {
  const path = join(folder, "kubectl");
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return kubectlProgram(path);
}

const never = new AbortController().signal;
const timeoutMs = 60_000;

/** Waits until the script has written its process, and gives that. */
async function pidIn(file: string): Promise<number> {
  for (;;) {
    try {
      const pid = Number(readFileSync(join(folder, file), "utf8"));
      if (pid > 0) return pid;
    } catch {
      // not yet
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Dead too is what nobody has reaped yet. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\t[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const untilDead = { timeout: 10_000 }; // one that was killed closes its output before it is dead

it("hands over what it reads, and tells what it printed and how it ended", async () => {
  const kubectl = program('cat; echo "$1 $2" >&2; exit 3');
  const answer = await kubectl.run({ args: ["a b", "c"], input: "an object", timeoutMs }, never);
  expect(answer).toEqual({ exitCode: 3, stdout: "an object", stderr: "a b c\n" });
});

it("one that ends before it has read all is told by its exit code", async () => {
  const answer = await program("exit 0").run({ args: [], input: "x".repeat(2 ** 22), timeoutMs }, never);
  expect(answer.exitCode).toBe(0);
});

it("one that is not there is no exception", async () => {
  const answer = await kubectlProgram(join(folder, "none")).run({ args: [], timeoutMs }, never);
  expect(answer).toMatchObject({ exitCode: undefined, stderr: `there is no program ${join(folder, "none")}` });
});

const stubborn = `sh -c 'trap "" TERM; echo $$ > "$0"; while :; do sleep 1; done'`;
const started: readonly [what: string, script: (file: string) => string][] = [
  ["what it started", (file) => `sleep 600 & echo $! > ${file}; wait`],
  ["what ignores SIGTERM", (file) => `${stubborn} ${file} & wait`],
  ["what ignores SIGTERM and has no output", (file) => `${stubborn} ${file} > ${file}.out 2>&1 & wait`],
];

/** The process that the script wrote into `child`, after the script ran out of its time. */
async function outOfTime(script: string): Promise<number> {
  const kubectl = program(script);
  for (let tryMs = 300; ; tryMs *= 2) {
    const answer = await kubectl.run({ args: [], timeoutMs: tryMs }, never);
    expect(answer).toEqual({ exitCode: undefined, stdout: "", stderr: `no end within ${tryMs / 1000} s` });
    const file = join(folder, "child");
    // Else it was ended before it had started anything.
    if (existsSync(file) && readFileSync(file, "utf8") !== "") return await pidIn("child");
  }
}

it.each(started)(
  "one that does not end in its time is ended, with %s",
  async (_, script) => {
    const child = await outOfTime(script(join(folder, "child")));
    await expect.poll(() => isAlive(child), untilDead).toBe(false);
  },
  timeoutMs,
);

it(
  "one that left its group and holds the output open is not waited for",
  async () => {
    const child = await outOfTime(`setsid sh -c 'echo $$ > "$0"; exec sleep 60' ${folder}/child & wait`);
    expect(isAlive(child)).toBe(true);
    process.kill(child, "SIGKILL");
  },
  timeoutMs,
);

it("ends with the signal, with what it started to log in by", async () => {
  const stop = new AbortController();
  const running = program(`sleep 600 & echo $! > ${folder}/child; wait`).run({ args: [], timeoutMs }, stop.signal);
  const child = await pidIn("child");
  stop.abort();
  expect(await running).toMatchObject({ exitCode: undefined, stderr: "stopped" });
  await expect.poll(() => isAlive(child), untilDead).toBe(false);
});

it("is not begun where the signal came first", async () => {
  const stopped = AbortSignal.abort();
  const answer = await program(`touch ${folder}/begun`).run({ args: [], timeoutMs }, stopped);
  expect(answer.exitCode).toBeUndefined();
  expect(existsSync(join(folder, "begun"))).toBe(false);
});
