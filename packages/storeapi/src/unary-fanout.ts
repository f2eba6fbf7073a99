/** Questions that each endpoint answers at once, asked of all of them: an answer lacks nothing, or says what. */
import { fail, ok, type Result, type SourceFailure } from "@pleiad/model";
import { childAbort, type Clock } from "@pleiad/ports";
import type { Endpoint, Trouble } from "./endpoint.ts";
import { namedWarnings } from "./endpoint-warnings.ts";
import { createMissingReport, type MissingReport } from "./missing-report.ts";
import type { Question } from "./question.ts";
import { concernedClusters, type ReplicaSet } from "./replica-set.ts";
import { settlesWithin } from "./replica-stream.ts";
import { describeTrouble } from "./rpc-failures.ts";
import { createWarningList } from "./warning-list.ts";

/** Who is asked for the share of one set of replicas, in this order until one answers. */
export interface AskedReplicas {
  readonly set: ReplicaSet;
  readonly replicas: readonly Endpoint[];
  /** Expected clusters that the question concerns and that none of the replicas can see. */
  readonly notAnnounced: readonly string[];
}

export interface UnaryFanoutParts {
  readonly name: string; // what failures call the fan-out as a whole
  readonly requestTimeoutMs: number; // of one endpoint
  readonly clock: Clock;
  /** Says who is asked; tells the report who cannot be. */
  assign(sets: readonly ReplicaSet[], question: Question, report: MissingReport): readonly AskedReplicas[];
  /** Tells of expected clusters that were answered without, unless the warnings do. */
  reportNotAnnounced(asked: AskedReplicas, warnings: readonly string[], report: MissingReport): void;
}

export interface UnaryQuestion<Answer> {
  readonly sets: readonly ReplicaSet[];
  readonly question: Question;
  readonly onFailure: "warn" | "abort";
  readonly ask: (endpoint: Endpoint, signal: AbortSignal) => Promise<Result<Answer, SourceFailure>>;
}

export interface UnaryAnswers<Answer> {
  readonly answers: readonly Answer[];
  readonly warnings: readonly string[];
  readonly isPartial: boolean;
}

/** Why who still works is aborted. Made once: the stack of each would cost more than the abort. */
const answered = new DOMException("the question is answered", "AbortError");

/** The answers of those who gave one. Under "abort" the failure is the first thing that is missing. */
export async function askAll<Answer extends { readonly warnings: readonly string[] }>(
  parts: UnaryFanoutParts,
  { sets, question, onFailure, ask }: UnaryQuestion<Answer>,
  signal: AbortSignal,
): Promise<Result<UnaryAnswers<Answer>, SourceFailure>> {
  const { name: source, clock, requestTimeoutMs } = parts;
  if (signal.aborted) return fail({ kind: "canceled", source });
  const report = createMissingReport();
  const warnings = createWarningList();
  const asked = parts.assign(sets, question, report);
  const whole = childAbort(signal);
  const outcomes = await Promise.all(
    asked.map(async ({ replicas }) => await askReplicas(replicas, ask, requestTimeoutMs / 2, clock, whole.signal)),
  );
  whole.abort(answered);
  whole.end();
  if (signal.aborted) return fail({ kind: "canceled", source });
  const answers: Answer[] = [];
  for (const [i, { answer, troubles }] of outcomes.entries()) {
    const part = asked[i];
    if (part === undefined) continue;
    if (answer === undefined) {
      report.missing({ ...part.set, clusters: concernedClusters(part.set, question), troubles });
      continue;
    }
    answers.push(answer);
    for (const warning of answer.warnings) warnings.add(warning);
    parts.reportNotAnnounced(part, answer.warnings, report);
  }
  const missing = report.texts();
  const [reason] = missing;
  if (reason !== undefined && onFailure === "abort") return fail({ kind: "unavailable", source, reason });
  for (const text of missing) warnings.add(text);
  return ok({ answers, warnings: warnings.texts(), isPartial: missing.length > 0 });
}

/** One after the other until one answers; each but the last has `firstAnswerMs`. */
async function askReplicas<Answer extends { readonly warnings: readonly string[] }>(
  replicas: readonly Endpoint[],
  ask: (endpoint: Endpoint, signal: AbortSignal) => Promise<Result<Answer, SourceFailure>>,
  firstAnswerMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly answer: Answer | undefined; readonly troubles: readonly Trouble[] }> {
  const troubles: Trouble[] = [];
  for (const [i, replica] of replicas.entries()) {
    const answering = ask(replica, signal);
    const { address, name: source } = replica.spec;
    const isLast = i + 1 === replicas.length;
    if (!isLast && !(await settlesWithin(answering, firstAnswerMs, clock, signal))) {
      troubles.push({ words: describeTrouble({ kind: "timeout", source, afterMs: firstAnswerMs }, address), address });
      continue;
    }
    const answer = await answering;
    if (answer.ok) {
      return { answer: { ...answer.value, warnings: namedWarnings(replica, answer.value.warnings) }, troubles };
    }
    troubles.push({ words: describeTrouble(answer.failure, address), address });
  }
  return { answer: undefined, troubles };
}
