/** Pages of metrics as the exporters of the reference fleet would show them, one a cluster, over HTTP. */
import { once } from "node:events";
import { createServer } from "node:http";
import { clusterNameOf, familyOf, referenceCluster, type FleetOptions } from "../reference-fleet.ts";

export interface ScrapePages {
  /** Clusters by number, with the page of each. */
  readonly urls: readonly { readonly cluster: string; readonly url: string }[];
  readonly samplesPerPage: number;
  readonly bytesPerPage: number;
  readonly contentType: string;
  /** Pages sent so far. */
  served(): number;
  close(): Promise<void>;
}

/** What a page says differs from scrape to scrape, in turns of so many. */
const variants = 4;
/** The target has these, not its page. */
const targetLabels = new Set(["__name__", "cluster", "cluster_group", "region", "replica", "job"]);

export async function serveScrapePages(fleet: FleetOptions, port: number): Promise<ScrapePages> {
  const contentType = "text/plain; version=0.0.4; charset=utf-8";
  const pages = Array.from({ length: fleet.clusters }, (_, i) => pagesOf(i + 1, fleet));
  const turns = new Uint32Array(fleet.clusters);
  let served = 0;
  const server = createServer((incoming, answer) => {
    const index = Number(/^\/metrics\/(\d+)$/.exec(incoming.url ?? "")?.[1] ?? 0) - 1;
    const turn = turns[index] ?? 0;
    const page = pages[index]?.[turn % variants];
    if (page === undefined) {
      answer.writeHead(404).end();
      return;
    }
    turns[index] = turn + 1;
    answer.writeHead(200, { "content-type": contentType, "content-length": page.length });
    answer.end(page, () => served++);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const first = pages[0]?.[0] ?? Buffer.alloc(0);
  return {
    urls: pages.map((_, i) => {
      const url = `http://127.0.0.1:${String(port)}/metrics/${String(i + 1)}`;
      return { cluster: clusterNameOf(i + 1), url };
    }),
    samplesPerPage: first.toString().match(/^[^#]/gm)?.length ?? 0,
    bytesPerPage: first.length,
    contentType,
    served: () => served,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** One page for all targets of a cluster: what tells them apart stays a label. */
function pagesOf(cluster: number, fleet: FleetOptions): readonly Buffer[] {
  const series = referenceCluster(cluster, { ...fleet, samples: variants, missedShare: 0 });
  return Array.from({ length: variants }, (_, variant) => {
    let page = "";
    let before = "";
    for (const one of series) {
      if (one.metric === "up") continue;
      const family = familyOf(one);
      if (family !== before) page += `# HELP ${family} Of the reference fleet.\n# TYPE ${family} ${one.kind}\n`;
      before = family;
      page += `${one.metric}{${pairsOf(one.labels)}} ${String(one.values[variant])}\n`;
    }
    return Buffer.from(page);
  });
}

function pairsOf(labels: readonly string[]): string {
  const pairs: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const [name = "", value = ""] = labels.slice(i, i + 2);
    if (targetLabels.has(name)) continue;
    pairs.push(`${name === "instance" ? "source" : name}="${value.replace(/[\\"]/g, "\\$&")}"`);
  }
  return pairs.join(",");
}
