/**
 * Where one store's chunk is damaged, the answer of all others is worth more than none. Whoever evaluates does not know any more
 * whose chunk it was: the query is evaluated once more over stores whose chunks are read one by one.
 */
import type { Result, SeriesSource } from "@pleiad/model";
import type { Engine, InstantRequest, QueryAnswer, QueryFailure, RangeRequest } from "@pleiad/promql-exec";

/** `verifiedOf`: the same source with stores that send damage left out and named; undefined for one that has none. */
export function verifyingEngine(
  engine: Engine,
  verifiedOf: (source: SeriesSource) => SeriesSource | undefined,
  repeated: () => void,
): Engine {
  const again = async (
    { select }: InstantRequest | RangeRequest,
    source: SeriesSource,
    evaluate: (source: SeriesSource) => Promise<Result<QueryAnswer, QueryFailure>>,
  ) => {
    const answer = await evaluate(source);
    // Where a failure of a store is one of the answer, it has failed in words that name it, or is to fail anyhow.
    if (answer.ok || answer.failure.kind !== "source" || select.onFailure === "abort") return answer;
    const verified = verifiedOf(source);
    if (verified === undefined) return answer;
    repeated();
    return await evaluate(verified);
  };
  return {
    instant: (request, source, signal) => again(request, source, (from) => engine.instant(request, from, signal)),
    range: (request, source, signal) => again(request, source, (from) => engine.range(request, from, signal)),
    explain: (request, source) => engine.explain(request, source),
  };
}
