import type { Clock, HttpRequest, HttpResponse, Listener, Observations } from "@pleiad/ports";
import type { HttpLimits } from "./http-limits.ts";
export interface HttpServerPorts {
  readonly clock: Clock;
  readonly observations: Pick<Observations, "log">;
}
/**
 * Serves every path and method. HEAD comes to `handle` as GET, and its body stays here. An error that `handle` throws is
 * logged and answered with 500 without a word of it.
 */
export declare function serveHttp(
  address: string,
  handle: (request: HttpRequest) => Promise<HttpResponse>,
  { clock, observations }: HttpServerPorts,
  limits: HttpLimits,
): Promise<Listener>;
/** Node's headers as one text a name. */
export declare function headerMap(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): ReadonlyMap<string, string>;
