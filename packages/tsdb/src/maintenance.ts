/** Keeps a data folder small, and the figures of its head on the page of metrics. */
import type { Ports } from "@pleiad/ports";
import { formatTsdbFailure } from "./tsdb-failure.ts";
import type { Tsdb } from "./tsdb.ts";

export interface Maintenance {
  /** Resolves when no maintenance runs any more. */
  stop(): Promise<void>;
}

const figuresIntervalMs = 15_000;
/** Times that the figures are renewed for each time that blocks are cut, and that what is past retention goes. */
const figuresPerMaintenance = 8;

/** Begins with the figures; the first maintenance comes after two minutes, the next ones two minutes apart. */
export function startMaintenance(
  tsdb: Tsdb,
  { clock, observations }: Pick<Ports, "clock" | "observations">,
): Maintenance {
  const stopping = new AbortController();
  const showFigures = headFigures(tsdb, observations);

  async function run(): Promise<void> {
    for (let round = 1; ; round++) {
      showFigures();
      await clock.sleep(figuresIntervalMs, stopping.signal);
      if (round % figuresPerMaintenance !== 0) continue;
      const maintained = await tsdb.maintain(clock.wallMs());
      // What was to be cut or dropped stays for now; the next round tries again.
      if (!maintained.ok) {
        const reason = formatTsdbFailure(maintained.failure);
        observations.log("error", "The data folder could not be maintained.", { reason });
      }
    }
  }

  const ended = run().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

/** A function that brings the metrics of a head up to date, under Prometheus's names. */
function headFigures({ head }: Tsdb, observations: Ports["observations"]): () => void {
  const series = observations.gauge("prometheus_tsdb_head_series", "Series in the head.");
  const chunks = observations.gauge("prometheus_tsdb_head_chunks", "Chunks in the head.");
  const minTime = observations.gauge("prometheus_tsdb_head_min_time", "Time of the oldest sample, in milliseconds.");
  const maxTime = observations.gauge("prometheus_tsdb_head_max_time", "Time of the newest sample, in milliseconds.");
  const walBytes = observations.gauge("prometheus_tsdb_wal_storage_size_bytes", "Bytes of the write-ahead log.");
  return () => {
    const figures = head.statistics();
    series.set(figures.series);
    chunks.set(figures.chunks);
    minTime.set(figures.minTimeMs);
    maxTime.set(figures.maxTimeMs);
    walBytes.set(figures.walBytes);
  };
}
