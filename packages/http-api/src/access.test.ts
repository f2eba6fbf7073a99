import type { HttpRequest } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { judgeAccess, loopbackAccess, type AccessOptions } from "./access.ts";

const request = (method: string, headers: Record<string, string>): HttpRequest => ({
  method,
  path: "/api/v1/query",
  query: "",
  headers: new Map(Object.entries(headers)),
  body: new Uint8Array(0),
  signal: new AbortController().signal,
});

const withGrafana: AccessOptions = { ...loopbackAccess, origins: ["https://grafana.example"] };

describe("who may call", () => {
  for (const [rule, options, method, headers, status] of [
    ["a program on this machine", loopbackAccess, "GET", { host: "127.0.0.1:10902" }, 200],
    ["over IPv6", loopbackAccess, "GET", { host: "[::1]:10902" }, 200],
    ["by name, in any case, without port", loopbackAccess, "GET", { host: "LOCALHOST" }, 200],
    ["no Host header", loopbackAccess, "GET", {}, 400],
    ["a name that was rebound to loopback", loopbackAccess, "GET", { host: "evil.example:10902" }, 421],
    ["a name that only starts like one", loopbackAccess, "GET", { host: "localhost.evil.example" }, 421],
    ["any name where something in front checks", { hosts: "any", origins: [] }, "GET", { host: "query:10902" }, 200],
    [
      "a page of the server itself",
      loopbackAccess,
      "POST",
      { host: "localhost:1", origin: "http://localhost:1", "sec-fetch-site": "same-origin" },
      200,
    ],
    [
      "a page of another port",
      loopbackAccess,
      "POST",
      { host: "localhost:1", origin: "http://localhost:2", "sec-fetch-site": "same-site" },
      403,
    ],
    ["a page elsewhere", loopbackAccess, "POST", { host: "localhost:1", origin: "https://evil.example" }, 403],
    ["a page elsewhere, with GET", loopbackAccess, "GET", { host: "localhost:1", origin: "https://evil.example" }, 403],
    ["a sandboxed page", loopbackAccess, "POST", { host: "localhost:1", origin: "null" }, 403],
    [
      "an image on a page elsewhere",
      loopbackAccess,
      "GET",
      { host: "localhost:1", "sec-fetch-site": "cross-site" },
      403,
    ],
    ["an address typed by the user", loopbackAccess, "GET", { host: "localhost:1", "sec-fetch-site": "none" }, 200],
    ["a listed origin", withGrafana, "POST", { host: "localhost:1", origin: "https://grafana.example" }, 200],
    ["its preflight", withGrafana, "OPTIONS", { host: "localhost:1", origin: "https://grafana.example" }, 204],
    ["a preflight of another", withGrafana, "OPTIONS", { host: "localhost:1", origin: "https://evil.example" }, 403],
    ["a preflight when none is listed", loopbackAccess, "OPTIONS", { host: "localhost:1", origin: "http://a" }, 403],
  ] as const) {
    it(`${rule}: ${status}`, () => {
      const verdict = judgeAccess(request(method, headers), options);
      expect(verdict.kind === "answered" ? verdict.response.status : 200).toBe(status);
    });
  }

  it("names a listed origin, never `*`", () => {
    const verdict = judgeAccess(request("GET", { host: "localhost", origin: "https://grafana.example" }), withGrafana);
    expect(verdict).toMatchObject({ headers: { "access-control-allow-origin": "https://grafana.example" } });
  });
});
