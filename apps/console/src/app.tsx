import { useEffect } from "preact/hooks";
import type { History } from "./api.ts";
import { ClusterGrid } from "./cluster-grid.tsx";
import { freshnessOf } from "./freshness.ts";
import { connectionLost, hierarchy, watchHierarchy } from "./live-state.ts";
import { NodeRow } from "./node-row.tsx";
import { QueryPanel } from "./query-panel.tsx";
import { Wires } from "./wires.tsx";

export function App() {
  useEffect(watchHierarchy, []);
  const state = hierarchy.value;
  return (
    <>
      <header class="bar">
        <h1>Pleiad</h1>
        {state !== undefined && <Summary />}
      </header>
      {connectionLost.value !== undefined && (
        <p class="notice bad" role="alert">
          The console's server does not answer ({connectionLost.value}). What you see below may be old.
        </p>
      )}
      {state === undefined ? (
        <p class="notice">Asking for the state of the hierarchy …</p>
      ) : (
        <main>
          {state.warnings.map((warning) => (
            <p class="notice warn" key={warning}>
              {warning}
            </p>
          ))}
          <section aria-label="Map">
            <HierarchyMap />
          </section>
          <section aria-label="Query">
            <QueryPanel />
          </section>
        </main>
      )}
    </>
  );
}

function Summary() {
  const state = hierarchy.value;
  if (state === undefined) return null;
  const fresh = state.clusters.filter((one) => freshnessOf(one, state.scrapeIntervalMs) === "fresh").length;
  const roles = state.nodes.flatMap((node) => node.roles).filter((role) => role.state !== "not-yet-running");
  const ready = roles.filter((role) => role.state === "ready").length;
  return (
    <dl class="summary">
      <div>
        <dt>Fleet</dt>
        <dd>{state.fleet}</dd>
      </div>
      <div>
        <dt>Clusters fresh</dt>
        <dd id="clusters-fresh">
          {fresh}/{state.clusters.length}
        </dd>
      </div>
      <div>
        <dt>Roles ready</dt>
        <dd>
          {ready}/{roles.length}
        </dd>
      </div>
      {state.history !== undefined && (
        <div>
          <dt>History</dt>
          <dd id="history">{historyText(state.history)}</dd>
        </div>
      )}
      <div>
        <dt>As of</dt>
        <dd>{new Date(state.takenMs).toLocaleTimeString()}</dd>
      </div>
    </dl>
  );
}

function historyText({ spanMs, blocksDone, blocks, isWhole }: History): string {
  const hours = Math.round(spanMs / 3_600_000);
  const span = hours % 24 === 0 ? `${hours / 24} d` : `${hours} h`;
  if (isWhole) return `${span}, whole`;
  return blocks === 0
    ? `${span}, not begun`
    : `${span}, ${Math.floor((blocksDone / blocks) * 100)} % of what was missing`;
}

/** The three tiers from top to bottom, with the app clusters where the regions reach them. */
function HierarchyMap() {
  const state = hierarchy.value;
  if (state === undefined) return null;
  const tier = (number: number) => state.nodes.filter((node) => node.tier === number);
  const globals = tier(1);
  const regionals = tier(2);
  const holds = (kind: string, region?: string) => (node: (typeof globals)[number]) =>
    node.roles.some((role) => role.kind === kind && (region === undefined || role.region === region));
  const globalWires = globals.flatMap((from, i) =>
    holds("global-querier")(from)
      ? regionals.flatMap((to, j) => (holds("regional-querier")(to) ? [{ from: i, to: j }] : []))
      : [],
  );
  const regionWires = regionals.flatMap((from, i) =>
    state.regions.flatMap((region, j) => (holds("regional-querier", region.name)(from) ? [{ from: i, to: j }] : [])),
  );
  return (
    <div class="map">
      <NodeRow title="Tier 1: global" nodes={globals} />
      <Wires fromCount={globals.length} toCount={regionals.length} wires={globalWires} />
      <NodeRow title="Tier 2: regional" nodes={regionals} />
      <Wires fromCount={regionals.length} toCount={state.regions.length} wires={regionWires} />
      <ClusterGrid />
      <NodeRow title="Tier 3: storage" nodes={tier(3)} />
    </div>
  );
}
