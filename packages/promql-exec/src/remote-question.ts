/**
 * How a part is asked for a node of the plan: by a text of its own, or by one for several aggregations of the same input, which
 * each take their share of the answer.
 */
import {
  compareLabels,
  labelValue,
  ok,
  withoutLabels,
  type Evaluation,
  type EvaluationFailure,
  type EvaluationRequest,
  type Evaluator,
  type Result,
} from "@pleiad/model";
import type { RemoteNode } from "@pleiad/promql-plan";
import type { RemoteQuery } from "./remote-query.ts";
import { jointText, questionLabel, remoteText, type JointText } from "./remote-text.ts";

type Answer = Result<Evaluation, EvaluationFailure>;

/** Answers to questions of several nodes, by who gave them and what was asked. */
export type JointAnswers = Map<Evaluator, Map<string, Promise<Answer>>>;

export interface RemoteQuestion {
  ask(evaluator: Evaluator, signal: AbortSignal): Promise<Answer>;
}

export function createRemoteQuestion(node: RemoteNode, remote: RemoteQuery): RemoteQuestion {
  const { query, asked = [], window } = node;
  const request = { ...remote.request, ...window };
  // One object for all parts: by it who calls them knows that they are asked the same.
  let alone: EvaluationRequest | undefined;
  const askAlone: RemoteQuestion["ask"] = async (evaluator, signal) =>
    await evaluator.evaluate((alone ??= { ...request, query: remoteText(remote.text, query) }), signal);
  const place = asked.findIndex((one) => one === query);
  const joint = place < 0 ? undefined : jointText(remote.text, asked);
  if (joint === undefined) return { ask: askAlone };
  const question: EvaluationRequest = { ...request, query: joint.text };
  const key = JSON.stringify([node.partition, window, joint.text]);
  return {
    async ask(evaluator, signal) {
      const answers = remote.jointAnswers.get(evaluator) ?? new Map<string, Promise<Answer>>();
      remote.jointAnswers.set(evaluator, answers);
      const answering = answers.get(key) ?? evaluator.evaluate(question, signal);
      answers.set(key, answering);
      const answer = await answering;
      // All together may be too much where each alone is not.
      if (!answer.ok) return answer.failure.kind === "refused" ? await askAlone(evaluator, signal) : answer;
      // Remarks on the input were counted once for each of those who share it.
      if (answer.value.warnings.some(tellsCounts)) return await askAlone(evaluator, signal);
      return ok(shareOf(answer.value, place, joint, node));
    },
  };
}

/** What an answer has for the aggregation at a place; what it cost is told of the last. */
function shareOf(answer: Evaluation, place: number, { linesBefore }: JointText, node: RemoteNode): Evaluation {
  const isLast = place === linesBefore.length - 1;
  const name = new Set([questionLabel]);
  const mark = isLast ? "" : String(place);
  const own = answer.series.filter(({ labels }) => labelValue(labels, questionLabel) === mark);
  const series = isLast ? own : own.map((one) => ({ ...one, labels: withoutLabels(one.labels, name) }));
  // With the label, they were in another order.
  series.sort((a, b) => compareLabels(a.labels, b.labels));
  const warnings = answer.warnings.flatMap((sentence) => {
    const placed = placedIn(sentence, linesBefore);
    if (placed === undefined || placed.place === place) return [placed?.sentence ?? sentence];
    // That there is one tells that sums are not to be trusted, whichever it is of.
    return node.gives === "sums" && sentence.startsWith("PromQL warning: ") ? [placed.sentence] : [];
  });
  const samplesRead = isLast ? answer.samplesRead : 0;
  return { ...answer, series, warnings, samplesRead, receivedBytes: isLast ? answer.receivedBytes : 0 };
}

/** A remark with the position of the query, and which place it is of; undefined for what has no position. */
function placedIn(sentence: string, linesBefore: readonly number[]) {
  const [position, line = 0, column = 0] = /^PromQL .* \((\d+):(\d+)\)$/s.exec(sentence) ?? [];
  if (position === undefined) return undefined;
  const place = linesBefore.findLastIndex((before) => before < Number(line));
  if (place < 0) return undefined;
  const end = sentence.lastIndexOf(" (");
  return { place, sentence: `${sentence.slice(0, end)} (${Number(line) - (linesBefore[place] ?? 0)}:${column})` };
}

/** Whether a remark says how often it was seen. */
function tellsCounts(sentence: string): boolean {
  return /^PromQL .*(?: \(\d+ occurrences\)|, over \d+ samples from )/s.test(sentence);
}
