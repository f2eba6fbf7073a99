/** What the parameters of a request mean: times, matchers, and Thanos's settings of the sources. */
import { fail, ok, type Matcher, type Result } from "@pleiad/model";
import type { SourceSettings } from "@pleiad/promql-exec";
import { parseSelector, selectsEverything } from "@pleiad/promql-syntax";
import { badData, invalidParameter, type ApiFailure } from "./envelope.ts";
import { parseDurationText, parseSwitch, parseTimestamp, timeMaxMs, timeMinMs } from "./parameter-text.ts";
import type { RequestForm } from "./request-form.ts";

export interface SourceDefaults {
  readonly replicaLabels: readonly string[];
  readonly partialResponse: boolean;
}

export const matcherSetsMax = 100;

/** An optional time. */
export function readTime(form: RequestForm, name: string, absentMs: number): Result<number, ApiFailure> {
  const text = form.first(name);
  if (text === "") return ok(absentMs);
  const time = parseTimestamp(text);
  return time.ok ? time : fail(invalidParameter(name, `invalid time value for '${name}': ${time.failure}`));
}

/** `start` and `end` of the endpoints that look at series without samples: both optional, all of time without them. */
export function readMetadataRange(
  form: RequestForm,
): Result<{ readonly minTimeMs: number; readonly maxTimeMs: number }, ApiFailure> {
  const start = readTime(form, "start", timeMinMs);
  if (!start.ok) return start;
  const end = readTime(form, "end", timeMaxMs);
  if (!end.ok) return end;
  if (end.value < start.value) return fail(endBeforeStart);
  return ok({ minTimeMs: start.value, maxTimeMs: end.value });
}

export const endBeforeStart = invalidParameter("end", "end timestamp must not be before start time");

/** The selectors of `match[]`, one set of matchers each. None where there is no such parameter. */
export function readMatcherSets(form: RequestForm): Result<readonly (readonly Matcher[])[], ApiFailure> {
  const texts = form.all("match[]");
  if (texts.length > matcherSetsMax) {
    return fail(invalidParameter("match[]", `${texts.length} selectors, at most ${matcherSetsMax} are read`));
  }
  const sets: (readonly Matcher[])[] = [];
  for (const text of texts) {
    const matchers = parseSelector(text);
    if (!matchers.ok) return fail(invalidParameter("match[]", matchers.failure.message));
    if (selectsEverything(matchers.value)) {
      return fail(invalidParameter("match[]", "match[] must contain at least one non-empty matcher"));
    }
    sets.push(matchers.value);
  }
  return ok(sets);
}

/** `dedup`, `replicaLabels[]`, `partial_response`; `max_source_resolution` where the endpoint reads samples. */
export function readSourceSettings(
  form: RequestForm,
  defaults: SourceDefaults,
  autoResolutionMs: number,
): Result<SourceSettings, ApiFailure> {
  // Ignoring it would answer more than was asked, and a caller that merges shards would count it twice.
  if (form.all("shard_info").length > 0)
    return fail(badData(`parameter "shard_info" is not supported by this querier`));
  const dedup = parseSwitch(form.first("dedup"), true);
  if (!dedup.ok) return fail(badData(`'dedup' parameter: ${dedup.failure}`));
  const partial = parseSwitch(form.first("partial_response"), defaults.partialResponse);
  if (!partial.ok) return fail(badData(`'partial_response' parameter: ${partial.failure}`));
  const resolution = readResolution(form.first("max_source_resolution"), autoResolutionMs);
  if (!resolution.ok) return resolution;
  const named = form.all("replicaLabels[]");
  return ok({
    withoutLabels: dedup.value ? (named.length > 0 ? named : defaults.replicaLabels) : [],
    maxResolutionMs: resolution.value,
    onFailure: partial.value ? "warn" : "abort",
  });
}

function readResolution(text: string, autoMs: number): Result<number, ApiFailure> {
  if (text === "") return ok(0);
  if (text === "auto") return ok(autoMs);
  const resolution = parseDurationText(text);
  if (!resolution.ok) return fail(badData(`'max_source_resolution' parameter: ${resolution.failure}`));
  if (resolution.value < 0) {
    return fail(badData("negative 'max_source_resolution' is not accepted. Try a positive integer"));
  }
  return ok(Math.floor(resolution.value));
}
