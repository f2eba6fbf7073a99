/** One thing to do later, which can be called off. */
import type { Clock } from "@pleiad/ports";
/** Calls `act` after the span, unless the returned function is called before. */
export declare function startTimer(clock: Clock, spanMs: number, act: () => void): () => void;
