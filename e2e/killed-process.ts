/** A process that tells what it does, a line each, and that ends by SIGKILL. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface KilledProcess {
  /** Resolves with the first line; rejects where the process ends without one. */
  opened(): Promise<string>;
  /** Resolves once so many lines have come, or the process has ended. */
  told(lines: number): Promise<void>;
  /** What it has told by its end, which is now; why it ended by itself, where it did. */
  kill(): Promise<{ readonly lines: readonly string[]; readonly fault: string | undefined }>;
}

/** `script` is a file of this folder. What it compiles to is kept in `cacheDirectory`: a start costs a third of the time. */
export function startProcess(script: string, args: readonly string[], cacheDirectory: string): KilledProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    env: { ...process.env, NODE_COMPILE_CACHE: cacheDirectory },
  });
  const decoder = new TextDecoder();
  const said = { lines: [] as string[], rest: "", complaint: "", isOver: false };
  const waiting: { readonly lines: number; readonly resolve: () => void }[] = [];
  const wake = () => {
    for (const { lines, resolve } of waiting) if (said.isOver || said.lines.length >= lines) resolve();
  };
  child.stdout.on("data", (piece: Uint8Array) => {
    const [rest = "", ...lines] = (said.rest + decoder.decode(piece, { stream: true })).split("\n").reverse();
    said.rest = rest;
    said.lines.push(...lines.reverse());
    wake();
  });
  child.stderr.on("data", (piece: Uint8Array) => (said.complaint += new TextDecoder().decode(piece)));
  const over = new Promise<void>((resolve) => {
    child.on("close", () => {
      said.isOver = true;
      wake();
      resolve();
    });
  });
  const told = async (lines: number) => {
    if (said.isOver || said.lines.length >= lines) return;
    await new Promise<void>((resolve) => waiting.push({ lines, resolve }));
  };
  return {
    opened: async () => {
      await told(1);
      const [first] = said.lines;
      if (first === undefined) throw new Error(`${script} ended before it began: ${said.complaint}`);
      return first;
    },
    told,
    kill: async () => {
      child.kill("SIGKILL");
      await over;
      const fault = child.signalCode === "SIGKILL" ? undefined : `${script} ended by itself: ${said.complaint}`;
      return { lines: said.lines, fault };
    },
  };
}
