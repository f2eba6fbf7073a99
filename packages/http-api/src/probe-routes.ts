/** What probes and scrapers ask of every process: `/-/healthy`, `/-/ready`, `/metrics`; and what a role tells people. */
import { expositionContentType } from "@pleiad/exposition";
import type { Route } from "./router.ts";

export interface ProbeRoutesOptions {
  readonly ready: () => { readonly ready: boolean; readonly reason?: string };
  /** Own metrics in the text exposition format 0.0.4. */
  readonly renderMetrics: () => string;
  /** Parts of the metrics, by a path of their own, in the same format. */
  readonly metricsParts?: ReadonlyMap<string, () => string>;
  /** The state of the role, for people and dashboards, as JSON below a path of its own. */
  readonly status?: { readonly path: string; readonly read: () => unknown };
}

const plainText = "text/plain; charset=utf-8";

export function probeRoutes({ ready, renderMetrics, metricsParts, status }: ProbeRoutesOptions): readonly Route[] {
  const routes: Route[] = [
    {
      path: "/-/healthy",
      methods: ["GET"],
      handler: "healthy",
      answer: { kind: "text", answer: () => ({ status: 200, contentType: plainText, text: "OK\n" }) },
    },
    {
      path: "/-/ready",
      methods: ["GET"],
      handler: "ready",
      answer: {
        kind: "text",
        answer: () => {
          const state = ready();
          return state.ready
            ? { status: 200, contentType: plainText, text: "OK\n" }
            : { status: 503, contentType: plainText, text: `not ready: ${state.reason ?? "starting"}\n` };
        },
      },
    },
    ...[["/metrics", renderMetrics] as const, ...(metricsParts ?? [])].map(([path, render]): Route => ({
      path,
      methods: ["GET"],
      handler: "metrics",
      answer: {
        kind: "text",
        answer: () => ({ status: 200, contentType: expositionContentType, text: render() }),
      },
    })),
  ];
  if (status !== undefined) {
    routes.push({
      path: status.path,
      methods: ["GET"],
      handler: "status",
      answer: {
        kind: "text",
        answer: () => ({ status: 200, contentType: "application/json", text: JSON.stringify(status.read()) }),
      },
    });
  }
  return routes;
}
