/** Evaluations of one request that begin together: those of servers that share a process are asked for by one call. */
import type { Evaluation, EvaluationRequest, Result } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";
import { callQueryOfEach, type QueryCallFailure, type SharedCall } from "./query-client.ts";
import type { StoreClient } from "./store-client.ts";

export interface QueryGathering {
  /** As `StoreClient.evaluate`. Whoever asks for the same in the same turn may be asked by the same call. */
  evaluate(
    client: EvaluatingClient,
    request: EvaluationRequest,
    signal: AbortSignal,
    silenceMs: number,
  ): Promise<Result<Evaluation, QueryCallFailure>>;
}

export type EvaluatingClient = Pick<StoreClient, "evaluate" | "sharedCall">;

interface Waiting {
  readonly client: EvaluatingClient;
  readonly call: SharedCall;
  readonly request: EvaluationRequest;
  readonly signal: AbortSignal;
  readonly silenceMs: number;
  readonly give: (answer: Promise<Result<Evaluation, QueryCallFailure>>) => void;
}

export function gatherQueries(clock: Clock): QueryGathering {
  // By request, then by process: of queries that run side by side, each gathers for itself.
  const gathering = new Map<EvaluationRequest, Map<string, Waiting[]>>();

  function ask(waiting: readonly Waiting[]): void {
    const [first] = waiting;
    if (first === undefined) return;
    const { request, signal, silenceMs } = first;
    const alone = ({ client }: Waiting) => client.evaluate(request, signal, silenceMs);
    if (waiting.length === 1) return first.give(alone(first));
    const calls = waiting.map(({ call }) => call);
    // What one call for all cannot answer, each is asked for by itself: then it fails, or not, in its own way.
    const answers = callQueryOfEach(calls, request, signal, silenceMs, clock);
    for (const [i, one] of waiting.entries()) {
      one.give(answers.then((all) => all[i] ?? alone(one)));
    }
  }

  return {
    evaluate(client, request, signal, silenceMs) {
      const call = client.sharedCall();
      if (call === undefined) return client.evaluate(request, signal, silenceMs);
      const { process } = call;
      const ofRequest = gathering.get(request) ?? new Map<string, Waiting[]>();
      const waiting = ofRequest.get(process);
      const first = waiting?.[0];
      if (first !== undefined && (first.signal !== signal || first.silenceMs !== silenceMs)) {
        return client.evaluate(request, signal, silenceMs);
      }
      return new Promise((give) => {
        const own = { client, call, request, signal, silenceMs, give };
        if (waiting !== undefined) {
          waiting.push(own);
          return;
        }
        const opened = [own];
        gathering.set(request, ofRequest.set(process, opened));
        void Promise.resolve().then(() => {
          ofRequest.delete(process);
          if (ofRequest.size === 0) gathering.delete(request);
          ask(opened);
        });
      });
    },
  };
}
