/** The texts by which parts are asked for pieces of a query. */
import type { AggregateNode, PlanNode } from "@pleiad/promql-plan";

/**
 * The piece as it stands in the query, at the place where it stands: lines before it are empty, and what is before it in its own is
 * blank, so that remarks of the part carry the positions of the query. An aggregation may be asked for another one than is
 * written there.
 */
export function remoteText(text: string, query: PlanNode): string {
  const { start, end } = query.range;
  const piece = text.slice(start, end);
  const before = text.slice(0, start).split("\n");
  const blank = Array.from(before.pop() ?? "", (character) => " ".repeat(utf8Length(character))).join("");
  const placed = "\n".repeat(before.length) + blank + piece;
  return query.kind === "aggregate"
    ? placed.slice(0, placed.length - piece.length) + piece.replace(/^\w+/, query.operator)
    : placed;
}

/** Several aggregations in one text: what it gives for each but the last has this label, with the place of it in the question. */
export const questionLabel = "__pleiad_question__";

export interface JointText {
  readonly text: string;
  /** By place, how many lines stand before the text of the aggregation: so much lower down are its remarks. */
  readonly linesBefore: readonly number[];
}

/** Plain PromQL, the label apart from any that a series has; undefined where the pieces have that label too. */
export function jointText(text: string, asked: readonly AggregateNode[]): JointText | undefined {
  if (asked.some(({ range }) => text.slice(range.start, range.end).includes(questionLabel))) return undefined;
  let joint = "";
  const linesBefore: number[] = [];
  for (const [place, query] of asked.entries()) {
    const isLast = place === asked.length - 1;
    if (!isLast) joint += "label_replace(\n";
    linesBefore.push(joint.split("\n").length - 1);
    joint += remoteText(text, query);
    if (!isLast) joint += `\n, "${questionLabel}", "${place}", "", "") or\n`;
  }
  return { text: joint, linesBefore };
}

function utf8Length(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
}
