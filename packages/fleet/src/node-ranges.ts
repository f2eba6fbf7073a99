/** Nodes that are alike, written once: `node-{01..40}: { … }` stands for forty nodes. */
import { expandClusterNames } from "./cluster-range.ts";
import { keyPlace, pathText, type FleetSource } from "./fleet-source.ts";
import type { ProblemLog } from "./problem-log.ts";

/** The most nodes that one fleet file may name. */
export const nodesMax = 10_000;

export interface ExpandedNodes<T> {
  readonly nodes: Readonly<Record<string, T>>;
  /** The source with a place for every node: that of the range which names it. */
  readonly source: FleetSource;
}

/** Each node by its own name. Nodes that are named twice go to the log. */
export function expandNodes<T>(
  written: Readonly<Record<string, T>>,
  source: FleetSource,
  log: ProblemLog,
): ExpandedNodes<T> {
  const nodes = new Map<string, T>();
  const keyPlaces = new Map(source.keyPlaces);
  for (const [key, node] of Object.entries(written)) {
    const names = expandClusterNames(key);
    // What is wrong with the name itself was told when names were checked.
    if (!names.ok) continue;
    const twice = names.value.find((name) => nodes.has(name));
    if (twice !== undefined || nodes.size + names.value.length > nodesMax) {
      log.atKey(
        ["nodes", key],
        twice === undefined
          ? {
              code: "RANGE",
              expected: `at most ${nodesMax} nodes`,
              found: `${nodes.size + names.value.length} with these`,
            }
          : {
              code: "DUP_NODE",
              expected: "nodes that are named once",
              found: `${twice} again`,
              hint: "let the range leave it out",
            },
      );
      continue;
    }
    const place = keyPlace(source, ["nodes", key]);
    for (const name of names.value) {
      nodes.set(name, node);
      keyPlaces.set(pathText(["nodes", name]), place);
    }
  }
  return { nodes: Object.fromEntries(nodes), source: { ...source, keyPlaces } };
}
