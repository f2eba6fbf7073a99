/** One child process of the twin: started, watched, restarted with a growing pause, stopped. */
import { fork, type ChildProcess } from "node:child_process";
import { closeSync, openSync, renameSync } from "node:fs";
import { join } from "node:path";
import { mallocSettings, memoryFlags } from "@pleiad/node-ports";
import type { Clock } from "@pleiad/ports";
import type { Notice, Order, RoleReport } from "./messages.ts";
import { afterCrash, defaultRestartPolicy, type RestartHistory } from "./restart-pause.ts";

export type ProcessState = "starting" | "running" | "restarting" | "finished" | "stopped";

export interface ProcessStatus {
  readonly name: string;
  readonly state: ProcessState;
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly residentBytes: number;
  readonly roles: readonly RoleReport[];
  readonly lastEnd: string | undefined; // why it ended last, for people
}

export interface SupervisedProcessOptions {
  readonly name: string;
  readonly entry: string; // path of the module to run
  readonly heapMiB: number; // bound of the JavaScript heap
  readonly order: Extract<Order, { kind: "start" }>;
  readonly logDirectory: string;
  onChange(): void;
  onProgress(done: number, total: number, what: string): void;
}

export interface SupervisedProcess {
  status(): ProcessStatus;
  /** Resolves when the process first says that it is ready; rejects with its own message if it cannot start. */
  start(): Promise<void>;
  stop(graceMs: number): Promise<void>;
}

export function superviseProcess(options: SupervisedProcessOptions, clock: Clock): SupervisedProcess {
  let child: ChildProcess | undefined;
  let state: ProcessState = "starting";
  let restarts = 0;
  let residentBytes = 0;
  let roles: readonly RoleReport[] = [];
  let lastEnd: string | undefined;
  let history: RestartHistory = { crashes: 0 };
  let wanted = true;
  let isFinished = false;
  let ended: Promise<void> = Promise.resolve();
  const stopping = new AbortController();

  const change = (next: ProcessState) => {
    state = next;
    options.onChange();
  };

  const launch = (firstTime: { ready(): void; failed(message: string): void } | undefined) => {
    const startedMs = clock.monotonicMs();
    const logFile = join(options.logDirectory, `${options.name}.log`);
    if (firstTime !== undefined) keepOneOldLog(logFile);
    const log = openSync(logFile, "a");
    const launched = fork(options.entry, [], {
      execArgv: [`--max-old-space-size=${options.heapMiB}`, ...memoryFlags],
      // What the person has set stays.
      env: { ...mallocSettings, ...process.env },
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    child = launched;
    let refusal: string | undefined;
    launched.on("message", (message) => {
      const notice = message as Notice;
      switch (notice.kind) {
        case "progress":
          options.onProgress(notice.done, notice.total, notice.what);
          break;
        case "ready":
          change("running");
          firstTime?.ready();
          break;
        case "failed":
          refusal = notice.message;
          break;
        case "finished":
          isFinished = true;
          break;
        case "report":
          residentBytes = notice.residentBytes;
          roles = notice.roles;
          options.onChange();
          break;
      }
    });
    ended = new Promise<void>((resolve) => {
      // `error` comes instead of `exit` where the process could not be made at all.
      let over = false;
      const end = (reason: string) => {
        if (over) return;
        over = true;
        child = undefined;
        residentBytes = 0;
        roles = [];
        lastEnd = refusal ?? reason;
        resolve();
        if (isFinished) {
          change("finished");
          return;
        }
        if (!wanted) {
          change("stopped");
          return;
        }
        if (firstTime !== undefined && state === "starting") {
          wanted = false;
          firstTime.failed(`${options.name}: ${lastEnd} (see ${logFile})`);
          change("stopped");
          return;
        }
        const next = afterCrash(history, clock.monotonicMs() - startedMs, defaultRestartPolicy);
        history = next.history;
        change("restarting");
        clock.sleep(next.pauseMs, stopping.signal).then(
          () => {
            restarts++;
            launch(undefined);
          },
          () => change("stopped"),
        );
      };
      launched.on("error", (error) => end(error.message));
      launched.on("exit", (code, signal) => end(signal === null ? `ended with code ${code}` : `killed by ${signal}`));
    });
    launched.send(options.order, () => {
      // A process that is gone before it got its order is seen by its exit.
    });
  };

  return {
    status: () => ({ name: options.name, state, pid: child?.pid, restarts, residentBytes, roles, lastEnd }),
    start: () =>
      new Promise<void>((resolve, reject) => {
        launch({ ready: resolve, failed: (message) => reject(new Error(message)) });
      }),
    stop: async (graceMs) => {
      wanted = false;
      stopping.abort();
      const running = child;
      if (running === undefined) {
        if (!isFinished) change("stopped");
        return;
      }
      running.send({ kind: "stop", graceMs } satisfies Order, () => {});
      const impatient = new AbortController();
      const kill = clock.sleep(graceMs + 2000, impatient.signal).then(
        () => running.kill("SIGKILL"),
        () => false,
      );
      await ended;
      impatient.abort();
      await kill;
    },
  };
}

function keepOneOldLog(logFile: string): void {
  try {
    renameSync(logFile, `${logFile}.1`);
  } catch {
    // There is none yet.
  }
}
