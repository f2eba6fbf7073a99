/** What the answer to a piece lacks: what one average or deviation is made of is asked for apart, and must lack the same. */
import type { RemoteNode } from "@pleiad/promql-plan";
import type { QueryContext } from "./query-context.ts";
import { PartsDoNotAddUp } from "./remote-sums.ts";

export interface RemoteLack {
  /** Takes what sources say of the piece. */
  readonly sourceWarnings: Set<string>;
  /** Names of parts that gave nothing. */
  readonly missing: Set<string>;
  /** Hands the warnings over to the query. */
  tell(): void;
  /** To be called when all is read. Throws where another share of the same result lacked something else. */
  compare(): void;
}

/** `lacks`: those of all pieces of the query, by their place in its text. */
export function createRemoteLack(
  { gives, query }: RemoteNode,
  lacks: Map<string, string>,
  context: QueryContext,
): RemoteLack {
  const sourceWarnings = new Set<string>();
  const missing = new Set<string>();
  return {
    sourceWarnings,
    missing,
    tell() {
      for (const warning of sourceWarnings) context.sourceWarnings.add(warning);
    },
    compare() {
      if (gives !== "sums" && gives !== "counts-of-sums" && gives !== "moments") return;
      const place = `${query.range.start}-${query.range.end}`;
      const own = JSON.stringify([[...missing].sort(), [...sourceWarnings].sort()]);
      if ((lacks.get(place) ?? own) !== own) throw new PartsDoNotAddUp();
      lacks.set(place, own);
    },
  };
}
