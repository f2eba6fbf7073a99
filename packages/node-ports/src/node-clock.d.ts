import type { Clock } from "@pleiad/ports";
export declare function nodeClock(): Clock;
