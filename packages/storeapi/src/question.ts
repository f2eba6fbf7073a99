/** Which stores and which clusters a request concerns, judged by labels and times alone. */
import {
  compileMatcher,
  emptyLabels,
  fail,
  formatMatcher,
  ok,
  type Labels,
  type Matcher,
  type Result,
  type SourceFailure,
  type ValueTest,
} from "@pleiad/model";
import type { StoreIdentity } from "./store-identity.ts";

export interface Question {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** Whether series with these external labels could match. A label that is not among them could have any value. */
  couldMatch(externalLabels: Labels): boolean;
}

export interface QuestionRequest {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly matchers: readonly Matcher[];
}

/** A store that takes samples in has newer ones than it announced. */
export const growthMs = 5 * 60_000;

/** Fails where an expression does not compile: no store has to be asked to know that. */
export function compileQuestion(request: QuestionRequest, source: string): Result<Question, SourceFailure> {
  const tests: (readonly [name: string, test: ValueTest])[] = [];
  for (const matcher of request.matchers) {
    const test = compileMatcher(matcher);
    if (!test.ok) return fail({ kind: "invalid", source, reason: `${formatMatcher(matcher)}: ${test.failure.reason}` });
    tests.push([matcher.name, test.value]);
  }
  const { minTimeMs, maxTimeMs } = request;
  return ok({
    minTimeMs,
    maxTimeMs,
    couldMatch(labels) {
      for (const [name, test] of tests) {
        for (let i = 0; i < labels.length; i += 2) {
          if (labels[i] === name && !test(labels[i + 1] as string)) return false;
        }
      }
      return true;
    },
  });
}

/** What concerns one of several questions about the same range of time. */
export function anyOf(questions: readonly Question[]): Question | undefined {
  const [first] = questions;
  return first && { ...first, couldMatch: (labels) => questions.some((question) => question.couldMatch(labels)) };
}

/** Whether a store could hold something of the answer. `ageMs` is how long ago it said what it holds. */
export function concernsStore(question: Question, identity: StoreIdentity, ageMs: number): boolean {
  const inTime = timeTest(question, ageMs);
  if (!inTime(identity)) return false;
  const { tsdbInfos, labelSets } = identity;
  if (tsdbInfos.length > 0) return tsdbInfos.some((one) => inTime(one) && question.couldMatch(one.labels));
  return labelSets.length === 0 || labelSets.some((labels) => question.couldMatch(labels));
}

/** External labels of what a store may hold of the range of time; the empty set where it says nothing of them. */
export function labelSetsOf(question: Question, identity: StoreIdentity, ageMs: number): readonly Labels[] {
  const inTime = timeTest(question, ageMs);
  if (!inTime(identity)) return [];
  const { tsdbInfos, labelSets } = identity;
  if (tsdbInfos.length > 0) return tsdbInfos.filter(inTime).map(({ labels }) => labels);
  return labelSets.length === 0 ? [emptyLabels] : labelSets;
}

function timeTest({ minTimeMs, maxTimeMs }: Question, ageMs: number) {
  return (range: { readonly minTimeMs: number; readonly maxTimeMs: number }) =>
    range.minTimeMs <= maxTimeMs && range.maxTimeMs + ageMs + growthMs >= minTimeMs;
}
