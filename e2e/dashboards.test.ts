/** The dashboards of production, asked of a running twin: every panel has data, or stands below with the reason. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { choiceQuery, dashboardsOf, metricFacts, recordings, type Choice, type Dashboard } from "@pleiad/dashboards";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  eventually,
  instantQuery,
  processLives,
  startTwin,
  temporaryFolder,
  type Answer,
  type RunningTwin,
} from "./twin-under-test.ts";

/** Panels, or one query of a panel by its legend, that a healthy twin has nothing for. What comes to have data fails here. */
const withoutData: Readonly<Record<string, string>> = {
  "fleet / Firing": "the twin evaluates no rules",
  "fleet / At Alertmanager": "the twin runs no Alertmanager",
  "fleet / Notifications that failed": "the twin runs no Alertmanager",
  "cluster / Memory": "the agents of a region share a process, whose memory is none of theirs",
  "querier / Names that do not resolve": "the twin's endpoints are addresses, not names",
  "store-gateway / That could not be loaded / {{pod}}": "the twin's gateways open a block when it is asked for",
  "store-gateway / Questions over a limit": "no question is dropped, and its reason is a label",
  "ruler / *": "the twin runs no ruler",
  "receiver / *": "all clusters of this fleet are asked, none writes",
};

/** Metrics of the roles that neither Thanos nor Prometheus has in this way. */
const namedOtherwise: Readonly<Record<string, string>> = {};

const rateInterval = "1m";
const fleetText = `
version: 1
name: dashboards
defaults: { scrapeInterval: 5s }
nodes:
  node-1: { tier: 1, role: global, cores: 4, memory: 8Gi, disk: 100Gi, network: 1Gbit/s }
  node-2: { tier: 2, role: regional, cores: 4, memory: 8Gi, disk: 100Gi, network: 1Gbit/s }
groups:
  shops: { clusters: "shop-{1..3}", series: 10k }
  offices: { clusters: "office-{1..2}", series: 10k }
regions:
  east: { groups: [shops] }
  west: { groups: [offices] }
roles:
  query-frontend: { cpu: 250m, memory: 512Mi }
  global-querier: { cpu: 500m, memory: 512Mi }
  regional-querier: { cpu: 250m, memory: 512Mi }
  regional-store-gateway: { cpu: 250m, memory: 512Mi }
  compactor: { cpu: 250m, memory: 512Mi }
  object-store: { cpu: 250m, memory: 512Mi, on: [node-1] }
  monitoring-agent: { cpu: 250m, memory: 512Mi }
objectStorage: { bucket: dashboards, capacity: 50Gi }
twin:
  basePort: 30500
  seriesScale: 0.03
  backfill: 6h # so that blocks are cut and uploaded at once
  history: 0s
`;

describe("the dashboards on the twin", () => {
  const folder = temporaryFolder();
  const asking = new AbortController();
  let twin: RunningTwin;
  let traffic: Promise<void>;
  // The twin has no rulers: everything is asked of the clusters.
  const dashboards = dashboardsOf(new Set());

  beforeAll(async () => {
    const fleetFile = join(folder.path, "dashboards.yaml");
    writeFileSync(fleetFile, fleetText);
    twin = await startTwin(fleetFile, `${folder.path}/state`);
    traffic = askLikePeople(twin, asking.signal);
  });
  afterAll(async () => {
    asking.abort();
    await traffic;
    if (processLives(twin.pid)) await twin.end("SIGINT");
    folder.remove();
  });

  it("all have data, but for those that are known to have none", { timeout: 420_000 }, async () => {
    // Choices grow while roles come up and are scraped, so every round fills the queries anew.
    const filled = async (): Promise<readonly FilledQuery[]> =>
      (await Promise.all(dashboards.map(async (dashboard) => await queriesOf(dashboard, twin)))).flat();
    let queries = await filled();
    expect(queries.length).toBeGreaterThan(80);
    const left = new Set(queries.filter(({ reason }) => reason === undefined).map(({ name }) => name));
    await eventually("data in every panel", 400_000, async () => {
      queries = await filled();
      const lacking: string[] = [];
      for (const { name, url, text } of queries.filter((query) => left.has(query.name))) {
        const answer = await instantQuery(url, text);
        if (answer.status !== "success") throw new Error(`${name}: ${answer.error}: ${text}`);
        if (hasData(answer)) left.delete(name);
        else lacking.push(`${name}: ${text}`);
      }
      if (lacking.length > 0) throw new Error(`no data in ${lacking.join("\n")}`);
      return true;
    });
    const surprising: string[] = [];
    for (const { name, url, text, reason } of queries) {
      if (reason !== undefined && hasData(await instantQuery(url, text))) surprising.push(`${name}: ${reason}`);
    }
    expect(surprising).toEqual([]);
    // A panel that was renamed leaves its line behind.
    const used = new Set(queries.map(({ reason }) => reason));
    expect(Object.values(withoutData).filter((reason) => !used.has(reason))).toEqual([]);
  });

  it("ask roles whose metrics have the names and kinds of Thanos and Prometheus, or Pleiad's own", async () => {
    const up = await twin.query('up{job="monitoring"}');
    const addresses = up.data.result.map(({ metric }) => metric["instance"] ?? "");
    expect(addresses.length).toBeGreaterThan(10);
    const families = new Set<string>();
    for (const address of addresses) {
      const page = await (await fetch(`http://${address}/metrics`)).text();
      for (const [, name = "", kind = ""] of page.matchAll(/^# TYPE (\S+) (\S+)$/gm)) families.add(`${name} ${kind}`);
    }
    const wrong = [...families].filter((family) => {
      const [name = "", kind] = family.split(" ");
      const facts = metricFacts(kind === "histogram" ? `${name}_bucket` : name, "0.42.4");
      return !name.startsWith("pleiad_") && facts?.kind !== kind;
    });
    expect(wrong.sort()).toEqual(Object.keys(namedOtherwise).sort());
  });

  for (const { record, labels, expression } of recordings) {
    it(`${record} has a value for each of its labels`, async () => {
      const answer = await twin.query(expression(""));
      expect(hasData(answer)).toBe(true);
      const named = answer.data.result.map(({ metric }) => Object.keys(metric).sort());
      expect(named).toContainEqual([...labels].sort());
    });
  }
});

interface FilledQuery {
  readonly name: string; // dashboard / panel / legend
  readonly url: string;
  readonly text: string;
  readonly reason: string | undefined; // why it has no data
}

/** The queries of a dashboard with its choices filled in as Grafana does: all values of each at once, and one alone. */
async function queriesOf({ name, choices, rows }: Dashboard, twin: RunningTwin): Promise<readonly FilledQuery[]> {
  const url = twin.apiUrls[0] ?? "";
  const values = new Map<string, readonly string[]>();
  for (const choice of choices) {
    values.set(
      choice.label,
      await eventually(`a value of ${choiceQuery(choice)}`, 120_000, async () => {
        const found = await choiceValues(url, choice);
        return found.length === 0 ? undefined : found;
      }),
    );
  }
  const fills = [".*", ...(choices.length === 0 ? [] : ["one", "all"])];
  return rows.flatMap(({ panels }) =>
    panels.flatMap((panel) =>
      panel.queries.flatMap(([legend, query]) =>
        fills.map((fill) => ({
          name: `${name} / ${panel.title} / ${legend} (${fill})`,
          url,
          text: fillIn(query, values, fill),
          reason:
            withoutData[`${name} / ${panel.title} / ${legend}`] ??
            withoutData[`${name} / ${panel.title}`] ??
            withoutData[`${name} / *`],
        })),
      ),
    ),
  );
}

function fillIn(query: string, values: ReadonlyMap<string, readonly string[]>, fill: string): string {
  let text = query.replaceAll("$__rate_interval", rateInterval);
  for (const [label, all] of values) {
    const value = fill === "one" ? (all.at(-1) ?? "") : fill === "all" ? `(${all.join("|")})` : fill;
    text = text.replaceAll(`$${label}`, value);
  }
  return text;
}

/** What Grafana asks for `label_values`. */
async function choiceValues(url: string, { label, of }: Choice): Promise<readonly string[]> {
  const response = await fetch(
    `${url}/api/v1/label/${label}/values?${new URLSearchParams({ "match[]": of }).toString()}`,
  );
  return ((await response.json()) as { readonly data: readonly string[] }).data;
}

/** A line that is drawn: NaN is none. */
function hasData({ data }: Answer): boolean {
  return data.result.some(({ value }) => value !== undefined && !Number.isNaN(Number(value[1])));
}

/** What makes roles busy: queries of the last minutes, and of hours that only blocks have. */
async function askLikePeople(twin: RunningTwin, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const endSeconds = Math.floor(Date.now() / 1000);
    for (const base of [twin.consoleUrl, ...twin.apiUrls]) {
      for (const [path, parameters] of [
        ["query", { query: "count by (cluster) (up)" }],
        ["query", { query: "sum by (region) (node_load1 offset 4h)" }],
        [
          "query_range",
          { query: "sum(node_load1)", start: String(endSeconds - 18_000), end: String(endSeconds), step: "60" },
        ],
      ] as const) {
        // The twin may be starting or ending: what does not answer is asked again.
        await fetch(`${base}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`, { signal })
          .then(async (response) => await response.arrayBuffer())
          .catch(() => {});
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
