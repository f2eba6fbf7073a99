/** What the supervisor and the processes of a twin tell each other. */
import type { Plan } from "@pleiad/fleet";
import type { ScrapeTarget } from "@pleiad/scrape";
import type { S3Credential } from "./object-storage.ts";

/** From the supervisor. `start` comes first and once. */
export type Order =
  | {
      readonly kind: "start";
      readonly process: string; // name of the node or of the cluster process
      readonly plan: Plan;
      readonly dataDirectory: string; // absolute, of this fleet
      readonly credential: S3Credential | undefined; // of the bucket, where there is one
      readonly ownTargets: readonly ScrapeTarget[]; // the twin itself, for its monitoring agent; none without one
      readonly logLevel: "debug" | "info" | "warn" | "error";
    }
  | { readonly kind: "stop"; readonly graceMs: number };

export interface RoleReport {
  readonly id: string;
  readonly ready: boolean;
  readonly reason?: string;
}

/** From a process. `ready` or `failed` comes once; `report` every few seconds; `finished` where its work has an end. */
export type Notice =
  | { readonly kind: "progress"; readonly what: string; readonly done: number; readonly total: number }
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "finished" }
  | { readonly kind: "report"; readonly residentBytes: number; readonly roles: readonly RoleReport[] };
