/** Which of kubectl's contexts each cluster of a fleet is. */
import { CommandFailure, exitCodes } from "./exit-codes.ts";

export interface ContextOptions {
  readonly context?: string; // of the monitoring cluster
  readonly contextTemplate: string;
  readonly contextOf: readonly string[]; // `cluster=context`
}

/** `undefined` is the monitoring cluster, whose context may be unknown until kubectl is asked for its current one. */
export type ContextOf = (cluster: string | undefined) => string | undefined;

/** Throws CommandFailure where a name is of no cluster, or two clusters would have one context. */
export function contextsOf(clusters: readonly string[], options: ContextOptions): ContextOf {
  const named = new Map(options.contextOf.map((text) => pairOf(text, clusters)));
  const contexts = new Map(
    clusters.map((cluster) => [
      cluster,
      named.get(cluster) ?? options.contextTemplate.replaceAll("${cluster}", cluster),
    ]),
  );
  const taken = new Map<string, string>(options.context === undefined ? [] : [[options.context, "monitoring"]]);
  for (const [cluster, context] of contexts) {
    const other = taken.get(context);
    if (other !== undefined) {
      throw new CommandFailure(
        exitCodes.badInput,
        `${other} and ${cluster} would both be the context ${context}: what is applied to one would replace the other's`,
      );
    }
    taken.set(context, cluster);
  }
  return (cluster) => (cluster === undefined ? options.context : contexts.get(cluster));
}

function pairOf(text: string, clusters: readonly string[]): readonly [cluster: string, context: string] {
  const at = text.indexOf("=");
  const [cluster, context] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || context === "") {
    throw new CommandFailure(exitCodes.badInput, `--context-of ${text}: expected CLUSTER=CONTEXT`);
  }
  if (!clusters.includes(cluster)) {
    throw new CommandFailure(exitCodes.badInput, `--context-of ${text}: the fleet has no cluster ${cluster}`);
  }
  return [cluster, context];
}
