/** What a server says about itself: its stores and its build. */
import { labelsToRecord, ok, type Labels, type Result } from "@pleiad/model";
import { wholeAnswer, type ApiAnswer, type ApiFailure } from "./envelope.ts";
import { quoteJson } from "./json-text.ts";
import type { Route, RouteRequest } from "./router.ts";

/** One endpoint that a querier asks, as Thanos lists it. */
export interface ListedStore {
  readonly componentType: string; // sidecar, store, query, rule, receive …
  readonly name: string;
  readonly lastCheckMs: number | undefined; // undefined: not checked yet
  readonly lastError: string | undefined;
  readonly labelSets: readonly Labels[];
  readonly minTimeMs: number | undefined; // undefined: it never said
  readonly maxTimeMs: number | undefined;
}

export interface StoreListing {
  readonly stores: readonly ListedStore[];
  /** Clusters that should be there and that no store has. */
  readonly missingClusters: readonly string[];
}

/** As `status/buildinfo` gives it. */
export interface BuildInfo {
  readonly version: string;
  readonly revision: string;
  readonly branch: string;
  readonly buildUser: string;
  readonly buildDate: string;
  readonly goVersion: string; // what it runs on: clients show the text, whatever the language
}

export interface StatusRoutesOptions {
  readonly stores: () => StoreListing;
  readonly buildInfo: BuildInfo;
}

export function statusRoutes({ stores, buildInfo }: StatusRoutesOptions): readonly Route[] {
  const { version, revision, branch, buildUser, buildDate, goVersion } = buildInfo;
  // Exactly these fields: a `features` map would make Grafana take this for Mimir.
  const build = { version, revision, branch, buildUser, buildDate, goVersion };
  return [
    get("stores", "stores", () => ok(listStores(stores()))),
    get("status/buildinfo", "status_buildinfo", () => ok(wholeAnswer(build))),
  ];
}

function get(name: string, handler: string, answer: (request: RouteRequest) => Result<ApiAnswer, ApiFailure>): Route {
  return {
    path: `/api/v1/${name}`,
    methods: ["GET"],
    handler,
    answer: { kind: "api", answer: async (request) => answer(request) },
  };
}

/** Object keyed by component type. What is missing lies beside it: clients take every key of `data` for a type. */
function listStores({ stores, missingClusters }: StoreListing): ApiAnswer {
  const byType = new Map<string, unknown[]>();
  for (const store of stores) {
    const listed = {
      name: store.name,
      lastCheck: formatTime(store.lastCheckMs),
      lastError: store.lastError ?? null,
      labelSets: store.labelSets.map(labelsToRecord),
      minTime: store.minTimeMs ?? null,
      maxTime: store.maxTimeMs ?? null,
    };
    const known = byType.get(store.componentType);
    if (known === undefined) byType.set(store.componentType, [listed]);
    else known.push(listed);
  }
  const types = [...byType].sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...wholeAnswer(Object.fromEntries(types)), extraFields: { missingClusters: quoteJson(missingClusters) } };
}

/** RFC 3339; the zero time of Go where there is none. */
function formatTime(timeMs: number | undefined): string {
  return timeMs === undefined ? "0001-01-01T00:00:00Z" : new Date(timeMs).toISOString();
}
