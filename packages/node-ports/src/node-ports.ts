/** All ports of a process on Node. */
import type { Observations, Ports } from "@pleiad/ports";
import { nodeClock } from "./node-clock.ts";
import { nodeFiles } from "./node-files.ts";
import { nodeNetwork, type NetworkLimits } from "./node-network.ts";
import { nodeRandom } from "./node-random.ts";
import { nodeThreads } from "./node-threads.ts";

export interface NodePortsOptions {
  readonly observations: Observations;
  readonly limits?: NetworkLimits;
}

export function createNodePorts({ observations, limits }: NodePortsOptions): Ports {
  const clock = nodeClock();
  const random = nodeRandom();
  const network = nodeNetwork({ clock, random, observations }, limits);
  return { clock, random, files: nodeFiles(), network, observations, threads: nodeThreads() };
}
