/**
 * Questions of a process to itself. Code that has not run yet takes three times as long, for the first few hundred requests;
 * a process that has just begun to listen has the time to run it.
 */
import type { Ports } from "@pleiad/ports";
import type { HttpHandler } from "./http-api.ts";

export interface WarmUpOptions {
  /** Of data: the questions are about the hour before. */
  readonly atMs: number;
  readonly questionsMax: number;
  readonly spanMsMax: number; // no further question is asked after it
  /** What questions are about, in place of the first series of `up`. */
  readonly selector?: string;
}

export const defaultWarmUp: Omit<WarmUpOptions, "atMs"> = { questionsMax: 2000, spanMsMax: 3000 };

const hourMs = 3_600_000;
const answerBytesMax = 1_048_576;

/**
 * Asks `handle` over a connection, as clients do, on a free port of loopback; resolves to how many questions were answered.
 * Questions are about one series, or those of the selector, and come one after the other: a request from outside waits for
 * one of them at most. What they count goes where `handle` counts, so it is best given one whose counts nobody reads. Rejects
 * where no port is free, and when `signal` aborts.
 */
export async function warmUp(
  handle: HttpHandler,
  { atMs, questionsMax, spanMsMax, selector }: WarmUpOptions,
  { network, clock }: Pick<Ports, "network" | "clock">,
  signal: AbortSignal,
): Promise<number> {
  const endMs = clock.monotonicMs() + spanMsMax;
  const listener = await network.serveHttp("127.0.0.1:0", handle);
  const ask = async (path: string) => {
    const options = { headers: { "accept-encoding": "identity" }, signal, bodyBytesMax: answerBytesMax };
    return await network.fetchHttp(`http://${listener.address}/api/v1/${path}`, options);
  };
  let answered = 0;
  try {
    const series = await ask(`series?${form({ "match[]": "up", limit: "1", ...hourBefore(atMs) })}`);
    if (series.status !== 200) return 0;
    const paths = questionsAbout(selector ?? selectorOf(series.body), atMs);
    while (answered < questionsMax && clock.monotonicMs() < endMs && !signal.aborted) {
      const answer = await ask(paths[answered % paths.length] ?? "");
      if (answer.status !== 200) break;
      answered++;
    }
  } finally {
    await listener.close(0);
  }
  return answered;
}

/** One of the kinds that dashboards ask; half of them are the commonest. */
function questionsAbout(selector: string, atMs: number): readonly string[] {
  const time = String(atMs / 1000);
  const instant = (query: string) => `query?${form({ query, time })}`;
  const range = (query: string) => `query_range?${form({ query, step: "60", ...hourBefore(atMs) })}`;
  return [
    instant(selector),
    instant("vector(1)"),
    `label/job/values?${form(hourBefore(atMs))}`,
    range(`1 - ${selector} / ${selector}`),
    instant(selector),
    `label/job/values?${form({ "match[]": selector, ...hourBefore(atMs) })}`,
    instant(`sum by (job) (${selector})`),
    range(`sum by (job) (rate(${selector}[5m]))`),
  ];
}

/** Of the one series that was listed; where there is none, of none. */
function selectorOf(listing: Uint8Array): string {
  const { data } = JSON.parse(new TextDecoder().decode(listing)) as {
    readonly data?: readonly Record<string, string>[];
  };
  const pairs = Object.entries(data?.[0] ?? { __name__: "up" });
  return `{${pairs.map(([name, value]) => `${JSON.stringify(name)}=${JSON.stringify(value)}`).join(",")}}`;
}

function hourBefore(atMs: number): { readonly start: string; readonly end: string } {
  return { start: String((atMs - hourMs) / 1000), end: String(atMs / 1000) };
}

function form(parameters: Readonly<Record<string, string>>): string {
  return new URLSearchParams(parameters).toString();
}
