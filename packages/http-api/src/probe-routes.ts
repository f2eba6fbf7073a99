/** What probes and scrapers ask of every process: `/-/healthy`, `/-/ready`, `/metrics`. */
import { expositionContentType } from "@pleiad/exposition";
import type { Route } from "./router.ts";

export interface ProbeRoutesOptions {
  readonly ready: () => { readonly ready: boolean; readonly reason?: string };
  /** Own metrics in the text exposition format 0.0.4. */
  readonly renderMetrics: () => string;
}

const plainText = "text/plain; charset=utf-8";

export function probeRoutes({ ready, renderMetrics }: ProbeRoutesOptions): readonly Route[] {
  return [
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
    {
      path: "/metrics",
      methods: ["GET"],
      handler: "metrics",
      answer: {
        kind: "text",
        answer: () => ({ status: 200, contentType: expositionContentType, text: renderMetrics() }),
      },
    },
  ];
}
