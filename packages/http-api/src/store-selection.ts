/** `storeMatch[]`: which of the stores behind a source are asked. */
import { fail, ok, type Matcher, type Result, type SeriesSource } from "@pleiad/model";
import { parseSelector } from "@pleiad/promql-syntax";
import { badData, type ApiFailure } from "./envelope.ts";
import type { RequestForm } from "./request-form.ts";
import { matcherSetsMax } from "./request-settings.ts";

/** The source as far as it lies in stores that at least one of the selectors matches; `__address__` is that of a store. */
export type SourceOfStores = (selectors: readonly (readonly Matcher[])[]) => Result<SeriesSource, string>;

export interface SelectableSource {
  readonly source: SeriesSource;
  /** Without it, a request that chooses among stores is refused: it would be answered by others. */
  readonly sourceOfStores?: SourceOfStores | undefined;
}

export function selectSource(
  form: RequestForm,
  { source, sourceOfStores }: SelectableSource,
): Result<SeriesSource, ApiFailure> {
  const texts = form.all("storeMatch[]");
  if (texts.length === 0) return ok(source);
  if (sourceOfStores === undefined) return fail(badData(`parameter "storeMatch[]" is not supported by this querier`));
  if (texts.length > matcherSetsMax) {
    return fail(badData(`'storeMatch[]' parameter: ${texts.length} selectors, at most ${matcherSetsMax} are read`));
  }
  const selectors: (readonly Matcher[])[] = [];
  for (const text of texts) {
    const matchers = parseSelector(text);
    if (!matchers.ok) return fail(badData(`'storeMatch[]' parameter: ${matchers.failure.message}`));
    selectors.push(matchers.value);
  }
  const selected = sourceOfStores(selectors);
  return selected.ok ? selected : fail(badData(`'storeMatch[]' parameter: ${selected.failure}`));
}
