/** Questions asked by many at once: each client asks the next one when the last is answered. */
import { Agent, request } from "node:http";

export interface LoadFigures {
  readonly answers: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly errors: number; // no answer, or one that is not whole
  readonly example: string | undefined; // of an error
}

export interface LoadOptions {
  readonly clients: number;
  /** No question begins later; those that are under way are waited for. */
  readonly durationMs: number;
  readonly timeoutMs: number; // of one question
}

/** Asks `paths` of the server at `url` in turn. */
export async function loadQueries(
  url: string,
  paths: readonly string[],
  { clients, durationMs, timeoutMs }: LoadOptions,
): Promise<LoadFigures> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const times: number[] = [];
  const faults: string[] = [];
  const untilMs = performance.now() + durationMs;
  let next = 0;
  const client = async () => {
    do {
      const path = paths[next++ % paths.length] ?? "";
      const startedMs = performance.now();
      const fault = await faultOf(agent, `${url}${path}`, timeoutMs);
      times.push(performance.now() - startedMs);
      if (fault !== undefined) faults.push(fault);
    } while (performance.now() < untilMs);
  };
  try {
    await Promise.all(Array.from({ length: clients }, client));
  } finally {
    agent.destroy();
  }
  return {
    answers: times.length,
    medianMs: quantileOf(times, 0.5),
    p99Ms: quantileOf(times, 0.99),
    errors: faults.length,
    example: faults[0],
  };
}

/** By nearest rank: the least value that the share of all values does not exceed. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** What is wrong with the answer; undefined where it is whole. */
async function faultOf(agent: Agent, url: string, timeoutMs: number): Promise<string | undefined> {
  try {
    const { status, text } = await get(agent, url, timeoutMs);
    if (status !== 200 || !text.startsWith('{"status":"success"')) return `${String(status)}: ${text.slice(0, 200)}`;
    // Warnings stand before the data or behind it, never within: there they would be a label.
    const { warnings } = text.includes('"warnings":[') ? (JSON.parse(text) as { warnings?: string[] }) : {};
    return warnings?.[0];
  } catch (error) {
    return String(error);
  }
}

function get(agent: Agent, url: string, timeoutMs: number): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(pieces).toString("utf8") }));
    });
    asked.on("error", reject);
    asked.end();
  });
}
