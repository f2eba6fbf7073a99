import { type HttpAnswer, type HttpFetchOptions } from "@pleiad/ports";
import type { HttpLimits } from "./http-limits.ts";
export type HttpFetch = (url: string, options: HttpFetchOptions) => Promise<HttpAnswer>;
/** A function that fetches, with a pool of connections of its own. Idle connections keep no process alive. */
export declare function createHttpFetch(limits: HttpLimits): HttpFetch;
