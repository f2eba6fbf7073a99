/** All ports of a process on Node. */
import type { Observations, Ports } from "@pleiad/ports";
import { type NetworkLimits } from "./node-network.ts";
export interface NodePortsOptions {
  readonly observations: Observations;
  readonly limits?: NetworkLimits;
}
export declare function createNodePorts({ observations, limits }: NodePortsOptions): Ports;
