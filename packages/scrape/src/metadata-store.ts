/**
 * What targets say of their metrics, all targets of a pool together: most of them say the same. A page is read for it when
 * it is new or has new series, and every few minutes besides; what no page said for a while is forgotten.
 */
import { uniteMetadata, type MetricMeta, type MetricMetadata } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";

export interface MetadataStoreOptions {
  readonly metricsMax: number; // families; what comes beyond is not kept
  readonly textLengthMax: number; // of one help text, which is cut there
  readonly refreshMs: number; // a page is read for metadata at least this often
  readonly keepMs: number; // since it was said last
  /** Gives one string for all equal ones. */
  readonly intern: (text: string) => string;
}

export const defaultMetadataStore: MetadataStoreOptions = {
  metricsMax: 10_000,
  textLengthMax: 1024,
  refreshMs: 5 * 60_000,
  keepMs: 11 * 60_000,
  intern: (text) => text,
};

/** What one page says, while it is read. */
export interface PageMetadata {
  metadata(field: "help" | "type" | "unit", metric: string, text: string): void;
  /** The page is in order: what it says counts. */
  commit(): void;
}

export interface MetadataStore {
  readonly refreshMs: number;
  begin(): PageMetadata;
  /** Sorted by name, with metas that differ in the order in which they came. */
  list(): readonly MetricMetadata[];
}

interface Saying {
  readonly meta: MetricMeta;
  saidMs: number; // monotonic
}

export function createMetadataStore(clock: Clock, options: MetadataStoreOptions): MetadataStore {
  const { metricsMax, textLengthMax, refreshMs, keepMs, intern } = options;
  const sayings = new Map<string, Saying[]>();

  function dropOld(nowMs: number): void {
    for (const [metric, some] of sayings) {
      const kept = some.filter(({ saidMs }) => nowMs - saidMs <= keepMs);
      if (kept.length === 0) sayings.delete(metric);
      else if (kept.length < some.length) sayings.set(metric, kept);
    }
  }

  function add(metric: string, meta: MetricMeta, nowMs: number): void {
    const known = sayings.get(metric);
    if (known === undefined) {
      if (sayings.size >= metricsMax) dropOld(nowMs);
      if (sayings.size >= metricsMax) return;
      sayings.set(intern(metric), [{ meta: internMeta(meta), saidMs: nowMs }]);
      return;
    }
    const same = known.find(({ meta: { type, help, unit } }) => {
      return type === meta.type && help === meta.help && unit === meta.unit;
    });
    if (same !== undefined) same.saidMs = nowMs;
    else if (known.length < sayingsMax) known.push({ meta: internMeta(meta), saidMs: nowMs });
  }

  const internMeta = ({ type, help, unit }: MetricMeta): MetricMeta => ({
    type: intern(type),
    help: intern(help),
    unit: intern(unit),
  });

  return {
    refreshMs,
    begin() {
      const page = new Map<string, { type: string; help: string; unit: string }>();
      return {
        metadata(field, metric, text) {
          let meta = page.get(metric);
          if (meta === undefined) {
            if (page.size >= metricsMax) return;
            meta = { type: "unknown", help: "", unit: "" };
            page.set(metric, meta);
          }
          meta[field] = text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text;
        },
        commit() {
          const nowMs = clock.monotonicMs();
          for (const [metric, meta] of page) add(metric, meta, nowMs);
        },
      };
    },
    list() {
      dropOld(clock.monotonicMs());
      return uniteMetadata(
        Array.from(sayings, ([metric, some]) => ({ metric, metas: some.map(({ meta }) => meta) })),
        -1,
      );
    },
  };
}

/** Of one metric: more that differ are a fault of what is scraped, and help nobody. */
const sayingsMax = 16;
