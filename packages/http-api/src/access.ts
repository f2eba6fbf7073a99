/**
 * Who may call: only requests addressed to a known host name, and no page of another origin unless it is listed.
 * The first keeps a foreign page from reaching loopback through a host name of its own (DNS rebinding), the second from
 * sending queries as the user who looks at it.
 */
import type { HttpRequest, HttpResponse } from "@pleiad/ports";

export interface AccessOptions {
  /** Host names of the `Host` header without port, `[::1]` in brackets; "any" where something in front checks it. */
  readonly hosts: readonly string[] | "any";
  /** Origins of pages elsewhere that may call, such as `https://grafana.example.org`. */
  readonly origins: readonly string[];
}

export const loopbackAccess: AccessOptions = { hosts: ["localhost", "127.0.0.1", "[::1]"], origins: [] };

export type AccessVerdict =
  /** `headers` go on the response: they tell a listed origin's browser that its page may read it. */
  | { readonly kind: "allowed"; readonly headers: Readonly<Record<string, string>> }
  /** A preflight of a listed origin, or a refusal. */
  | { readonly kind: "answered"; readonly response: HttpResponse };

export function judgeAccess(request: HttpRequest, options: AccessOptions): AccessVerdict {
  const host = request.headers.get("host");
  if (host === undefined || host === "") return refuse(400, "missing Host header");
  const hostName = host.replace(/:\d*$/, "").toLowerCase();
  if (options.hosts !== "any" && !options.hosts.includes(hostName)) {
    return refuse(421, "this host name is not served here: add it to the allowed hosts");
  }
  const origin = request.headers.get("origin");
  const listed = origin !== undefined && options.origins.includes(origin);
  const own = origin === `http://${host}` || origin === `https://${host}`;
  if (request.method === "OPTIONS") {
    if (!listed) return refuse(403, "cross-origin requests are not allowed from here");
    return { kind: "answered", response: { status: 204, headers: { ...corsHeaders(origin), ...preflight }, body: "" } };
  }
  if (origin === undefined) {
    // An image or form of a foreign page sends no Origin with GET, but every current browser says where it comes from.
    if (request.headers.get("sec-fetch-site") === "cross-site") return refuse(403, "cross-site requests are refused");
    return { kind: "allowed", headers: {} };
  }
  if (listed) return { kind: "allowed", headers: corsHeaders(origin) };
  return own ? { kind: "allowed", headers: {} } : refuse(403, "cross-origin requests are not allowed from here");
}

const preflight = {
  "access-control-allow-methods": "GET, POST, OPTIONS",
  "access-control-allow-headers": "Accept, Authorization, Content-Type, Origin",
  "access-control-max-age": "600",
};

function corsHeaders(origin: string): Record<string, string> {
  return { "access-control-allow-origin": origin, "access-control-expose-headers": "Date", vary: "Origin" };
}

function refuse(status: number, reason: string): AccessVerdict {
  const headers = { "content-type": "text/plain; charset=utf-8" };
  return { kind: "answered", response: { status, headers, body: `${reason}\n` } };
}
