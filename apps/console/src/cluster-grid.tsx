import type { Cluster } from "./api.ts";
import { formatAge, freshnessOf, freshnessText, type Freshness } from "./freshness.ts";
import { hierarchy } from "./live-state.ts";
import { askAbout } from "./query-panel.tsx";

/** Every app cluster as a cell, by region, coloured by how old its newest sample is. */
export function ClusterGrid() {
  const state = hierarchy.value;
  if (state === undefined) return null;
  return (
    <>
      <h2>App clusters</h2>
      <div class="row" style={{ gridTemplateColumns: `repeat(${state.regions.length}, minmax(0, 1fr))` }}>
        {state.regions.map((region) => (
          <article class="region" key={region.name} data-region={region.name}>
            <h3>
              Region {region.name}
              <span class="count">
                {region.fresh}/{region.clusters} fresh
              </span>
            </h3>
            <div class="cells">
              {state.clusters
                .filter((cluster) => cluster.region === region.name)
                .map((cluster) => (
                  <Cell key={cluster.name} cluster={cluster} freshness={freshnessOf(cluster, state.scrapeIntervalMs)} />
                ))}
            </div>
          </article>
        ))}
      </div>
      <p class="legend">
        {(Object.keys(freshnessText) as Freshness[]).map((kind) => (
          <span key={kind}>
            <i class={`cell ${kind}`} /> {freshnessText[kind]}
          </span>
        ))}
      </p>
    </>
  );
}

function Cell({ cluster, freshness }: { readonly cluster: Cluster; readonly freshness: Freshness }) {
  const text = `${cluster.name}, group ${cluster.group}: ${freshnessText[freshness]}, newest sample ${formatAge(cluster.ageMs)}`;
  return (
    <button
      type="button"
      class={`cell ${freshness}`}
      data-cluster={cluster.name}
      data-freshness={freshness}
      title={text}
      aria-label={text}
      onClick={() => askAbout(cluster.name)}
    />
  );
}
