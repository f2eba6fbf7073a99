/** The text by which a part is asked for a piece of a query. */
import type { RemoteNode } from "@pleiad/promql-plan";

/**
 * The piece as it stands in the query, at the place where it stands: what is before it is blank, so that remarks of the
 * part carry the positions of the query. An aggregation may be asked for another one than is written there.
 */
export function remoteText(text: string, { query }: RemoteNode): string {
  const { start, end } = query.range;
  const piece = text.slice(start, end);
  const blank = text.slice(0, start).replace(/[^\n]/gu, (character) => " ".repeat(utf8Length(character)));
  if (query.kind !== "aggregate") return blank + piece;
  return blank + piece.replace(/^\w+/, query.operator);
}

function utf8Length(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
}
