/** Asks the global queriers over HTTP, one after the other: they are replicas of each other. */
import type { HttpAnswer, HttpFetchOptions, Network } from "@pleiad/ports";

export interface VectorAnswer {
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
  };
  readonly warnings?: readonly string[];
}

const queryTimeoutMs = 10_000;
const answerBytesMax = 16 << 20;

/** The first answer that `accept` takes; else why there is none, for people. */
export async function askFirst(
  apiUrls: readonly string[],
  pathAndQuery: string,
  options: () => HttpFetchOptions,
  network: Network,
  accept: (answer: HttpAnswer) => boolean = () => true,
): Promise<HttpAnswer | string> {
  const failures: string[] = [];
  for (const url of apiUrls) {
    try {
      const answer = await network.fetchHttp(url + pathAndQuery, options());
      if (accept(answer)) return answer;
      failures.push(`${url}: status ${answer.status}`);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  return `no global querier answers: ${failures.join("; ")}`;
}

/** An instant query for a vector; `timeMs` absent = now. A text says why there is no answer. */
export async function queryVector(
  apiUrls: readonly string[],
  query: string,
  timeMs: number | undefined,
  signal: AbortSignal,
  network: Network,
): Promise<VectorAnswer | string> {
  const parameters = new URLSearchParams({ query });
  if (timeMs !== undefined) parameters.set("time", (timeMs / 1000).toFixed(3));
  const answer = await askFirst(
    apiUrls,
    `/api/v1/query?${parameters.toString()}`,
    () => ({ signal: AbortSignal.any([signal, AbortSignal.timeout(queryTimeoutMs)]), bodyBytesMax: answerBytesMax }),
    network,
    ({ status }) => status === 200,
  );
  if (typeof answer === "string") return answer;
  return JSON.parse(new TextDecoder().decode(answer.body)) as VectorAnswer;
}
