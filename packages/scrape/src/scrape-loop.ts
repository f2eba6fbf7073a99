/**
 * Scrapes one target, again and again: fetch, parse, append, report, one transaction a scrape.
 *
 * A page is stored whole or not at all. What was stored last time and is not there now gets a staleness marker; a
 * scrape that fails, for whatever reason, gives one to every series of the target.
 */
import {
  decodeSeries,
  defaultExpositionLimits,
  formatExpositionFailure,
  parseExposition,
  type ExpositionLimits,
  type ExpositionSink,
  type MetricType,
} from "@pleiad/exposition";
import {
  formatHeadFailure,
  formatHeadRefusal,
  type AppendOutcome,
  type Head,
  type HeadAppender,
  type SeriesRef,
} from "@pleiad/head";
import { fail, formatLabels, ok, unreachable, type Labels, type Result } from "@pleiad/model";
import { sleepUnlessAborted, withDeadline, type Ports } from "@pleiad/ports";
import { createLiveSeries } from "./live-series.ts";
import type { MetadataStore, PageMetadata } from "./metadata-store.ts";
import { fetchPage, type FetchedPage } from "./page-fetch.ts";
import { reportLabels, reportMetrics, reportSamples, type ScrapeReport } from "./report-series.ts";
import { alignToGrid, gridOffsetMs, nextGridMs } from "./scrape-grid.ts";
import { scrapeMetrics } from "./scrape-metrics.ts";
import { resolveLabels, targetLabels, type ScrapeTarget } from "./scrape-target.ts";
import { createSeriesCache } from "./series-cache.ts";

export interface ScrapeOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number; // at most the interval
  readonly limits: ExpositionLimits;
  /** Whether a page without a Content-Type is taken for the text format, as Prometheus did before version 3. */
  readonly fallbackToText: boolean;
  /** Where what pages say of their metrics is kept; nowhere by default. */
  readonly metadata?: MetadataStore;
}

export const defaultScrapeOptions: ScrapeOptions = {
  intervalMs: 30_000,
  timeoutMs: 10_000,
  limits: defaultExpositionLimits,
  fallbackToText: false,
};

/** How a target does, for a list of targets. The fields of the last scrape are undefined before the first one ended. */
export interface TargetStatus {
  readonly target: ScrapeTarget;
  readonly labels: Labels; // those that the target gives to its series
  readonly health: "unknown" | "up" | "down";
  readonly lastError: string | undefined;
  readonly lastScrapeMs: number | undefined; // its timestamp
  readonly lastDurationMs: number | undefined;
  readonly lastSamples: number | undefined;
}

/** As in Prometheus: two, and a tenth for a scrape that is late. */
const retirementIntervals = 2.1;

export interface ScrapeLoop {
  status(): TargetStatus;
  /** Ends the loop. A scrape that waits for its page is given up and leaves no trace; one that has it is finished. */
  stop(): Promise<void>;
  /**
   * Ends the loop of a target that is gone: its series, reports included, get a staleness marker one interval after now.
   * They get it two intervals later, so that a loop that took the target over goes on without a gap. Aborting the signal
   * leaves them as they are, as for a process that ends.
   */
  retire(signal: AbortSignal): Promise<void>;
}

/** Begins at once; the first scrape comes at the target's place in the interval. */
export function createScrapeLoop(
  target: ScrapeTarget,
  head: Pick<Head, "appender">,
  ports: Pick<Ports, "clock" | "network" | "observations">,
  options: ScrapeOptions = defaultScrapeOptions,
): ScrapeLoop {
  const { clock } = ports;
  const stopping = new AbortController();
  const scraper = createScraper(target, head, ports, options, stopping.signal);
  const offsetMs = gridOffsetMs(`${target.job} ${target.url}`, options.intervalMs);

  async function run(): Promise<void> {
    let gridMs = nextGridMs(clock.wallMs(), options.intervalMs, offsetMs);
    for (;;) {
      await clock.sleep(Math.max(0, gridMs - clock.wallMs()), stopping.signal);
      await scraper.scrape(alignToGrid(clock.wallMs(), gridMs, options.intervalMs));
      if (stopping.signal.aborted) return;
      // The grid is found anew each time, so that a long scrape skips places and a clock that jumps back waits for none.
      const nextMs = nextGridMs(clock.wallMs(), options.intervalMs, offsetMs);
      // A sleep may end a little early: the place just used is not the next one.
      gridMs = nextMs === gridMs ? gridMs + options.intervalMs : nextMs;
    }
  }

  const ended = run().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    status: scraper.status,
    stop: async () => {
      stopping.abort();
      await ended;
    },
    retire: async (signal) => {
      stopping.abort();
      await ended;
      const markerMs = clock.wallMs() + options.intervalMs;
      const retired = await sleepUnlessAborted(clock, retirementIntervals * options.intervalMs, signal);
      if (retired) await scraper.markGone(markerMs);
    },
  };
}

/** A scrape that did not give a page of samples. */
interface ScrapeFailure {
  readonly reason: "unreachable" | "timeout" | "too-large" | "status" | "canceled" | "page" | "limit" | "head";
  readonly message: string;
}

interface PageCounts {
  samples: number; // on the page
  stored: number;
  seriesAdded: number;
}

function createScraper(
  target: ScrapeTarget,
  head: Pick<Head, "appender">,
  ports: Pick<Ports, "clock" | "network" | "observations">,
  options: ScrapeOptions,
  stopSignal: AbortSignal,
) {
  const { clock, network, observations } = ports;
  const { limits } = options;
  const ofTarget = targetLabels(target);
  const honorLabels = target.honorLabels ?? false;
  const honorTimestamps = target.honorTimestamps ?? true;
  const metrics = scrapeMetrics(observations);
  const cache = createSeriesCache<SeriesRef>();
  /** Series that must be marked stale once they are gone. */
  const live = createLiveSeries();
  /** When a page is read for metadata again, monotonic. */
  let metadataDueMs = -Infinity;
  let status: TargetStatus = {
    target,
    labels: ofTarget,
    health: "unknown",
    lastError: undefined,
    lastScrapeMs: undefined,
    lastDurationMs: undefined,
    lastSamples: undefined,
  };

  async function scrape(timestampMs: number): Promise<void> {
    const startedMs = clock.monotonicMs();
    const { timeoutMs, fallbackToText } = options;
    const pageOptions = { timeoutMs, bodyBytesMax: limits.bodyBytesMax, fallbackToText };
    const fetched = await withDeadline(
      clock,
      timeoutMs,
      stopSignal,
      async (signal) => await fetchPage(network, target.url, signal, pageOptions),
    );
    if (stopSignal.aborted && !fetched.ok) return;

    const counts: PageCounts = { samples: 0, stored: 0, seriesAdded: 0 };
    live.begin();
    let appender = head.appender();
    const metadata = startedMs >= metadataDueMs ? options.metadata?.begin() : undefined;
    const appended = fetched.ok
      ? appendPage(appender, fetched.value, timestampMs, counts, metadata)
      : fail<ScrapeFailure>({ reason: fetched.failure.kind, message: fetched.failure.message });
    if (fetched.ok) fetched.value.release();
    if (appended.ok) noteMetadata(metadata, counts);
    else {
      appender.rollback();
      appender = head.appender();
      live.unsee();
    }
    for (const ref of live.gone()) appender.appendStale(ref, timestampMs);
    const durationMs = clock.monotonicMs() - startedMs;
    appendReport(appender, timestampMs, {
      up: appended.ok,
      durationSeconds: durationMs / 1000,
      samplesScraped: counts.samples,
      samplesStored: counts.stored,
      seriesAdded: counts.seriesAdded,
    });
    const committed = await appender.commit();
    if (appended.ok && committed.ok) cache.commit();
    else cache.rollback();
    if (committed.ok) live.commit();
    else live.rollback();

    const failure: ScrapeFailure | undefined = !appended.ok
      ? appended.failure
      : committed.ok
        ? undefined
        : { reason: "head", message: `not stored: ${formatHeadFailure(committed.failure)}` };
    note(failure, timestampMs, durationMs, counts.samples);
  }

  /** Appends every sample of the page and notes the series that are to be marked once they are gone. */
  function appendPage(
    appender: HeadAppender,
    page: FetchedPage,
    timestampMs: number,
    counts: PageCounts,
    metadata: PageMetadata | undefined,
  ): Result<undefined, ScrapeFailure> {
    let refusal: ScrapeFailure | undefined;
    const seriesOf = (bytes: Uint8Array, start: number, end: number, type: MetricType): SeriesRef | undefined => {
      const labels = resolveLabels(decodeSeries(bytes, start, end, type), ofTarget, honorLabels);
      const series = appender.series(labels);
      if (typeof series === "number") return series;
      const message = `${target.url}: ${formatHeadRefusal(series)}, at ${formatLabels(labels).slice(0, 200)}`;
      refusal = { reason: "head", message };
      return undefined;
    };
    /** The sample that an exemplar would be of: its series, undefined where it was not stored, and its time. */
    let sampledRef: SeriesRef | undefined;
    let sampledMs = timestampMs;
    const sink: ExpositionSink = {
      ...(metadata === undefined ? {} : { metadata: (...line) => metadata.metadata(...line) }),
      recognise: (bytes, start) => cache.recognise(bytes, start),
      sample: (bytes, start, end, value, ownTimestampMs, type) => {
        sampledRef = undefined;
        if (refusal !== undefined) return;
        counts.samples++;
        let entry = cache.find(bytes, start, end);
        if (entry < 0) {
          const ref = seriesOf(bytes, start, end, type);
          if (ref === undefined) return;
          entry = cache.add(bytes, start, end, ref);
          counts.seriesAdded++;
        }
        const isFirst = cache.see(entry);
        const hasOwn = ownTimestampMs !== undefined && honorTimestamps;
        if (!isFirst && !hasOwn) {
          // The first one stays, as in Prometheus.
          metrics.duplicates.add(1);
          return;
        }
        const sampleMs = hasOwn ? ownTimestampMs : timestampMs;
        let ref = cache.refOf(entry);
        let outcome = appender.append(ref, sampleMs, value);
        if (outcome === "unknown-series") {
          // It had no sample for so long that the head forgot it.
          const again = seriesOf(bytes, start, end, type);
          if (again === undefined) return;
          ref = again;
          cache.setRef(entry, ref);
          outcome = appender.append(ref, sampleMs, value);
        }
        if (outcome === "appended") {
          counts.stored++;
          sampledRef = ref;
          sampledMs = sampleMs;
        } else countRefused(outcome);
        // A series with timestamps of its own ends when its own time does.
        if (!hasOwn) live.see(ref);
      },
      exemplar: (bytes, labelsStart, labelsEnd, value, ownTimestampMs) => {
        if (sampledRef === undefined) return;
        const labels = decodeSeries(bytes, labelsStart, labelsEnd, "unknown");
        const exemplar = { timestampMs: ownTimestampMs ?? sampledMs, value, labels };
        // One that is too long, or there already, is no fault of the page.
        if (appender.appendExemplar(sampledRef, exemplar) === "out-of-order") metrics.exemplarsOutOfOrder.add(1);
      },
    };
    cache.begin();
    const parsed = parseExposition(page.bytes, page.contentType, sink, limits);
    if (refusal !== undefined) return fail(refusal);
    if (parsed.ok) return ok(undefined);
    if (parsed.failure.kind === "limit" && parsed.failure.of === "samples") {
      metrics.tooManySamples.add(1);
      const told = formatExpositionFailure(parsed.failure);
      return fail({ reason: "limit", message: `${target.url}: sample limit exceeded: ${told}` });
    }
    const reason = parsed.failure.kind === "limit" ? "limit" : "page";
    return fail({ reason, message: `${target.url}: ${formatExpositionFailure(parsed.failure)}` });
  }

  /** Pages say the same for hours: they are read for it now and then, and when something is new on them. */
  function noteMetadata(metadata: PageMetadata | undefined, { seriesAdded }: PageCounts): void {
    if (metadata !== undefined) {
      metadata.commit();
      metadataDueMs = clock.monotonicMs() + (options.metadata?.refreshMs ?? Infinity);
    } else if (seriesAdded > 0) metadataDueMs = -Infinity;
  }

  function countRefused(outcome: Exclude<AppendOutcome, "appended">): void {
    switch (outcome) {
      case "duplicate":
        return metrics.duplicates.add(1);
      case "out-of-order":
        return metrics.outOfOrder.add(1);
      case "out-of-bounds":
        return metrics.outOfBounds.add(1);
      case "unknown-series":
        throw new Error("the head does not know a series that it has just named");
      default:
        return unreachable(outcome);
    }
  }

  /** Gives every series of the last stored page a staleness marker, and the report's too. */
  async function markGone(timestampMs: number): Promise<void> {
    const appender = head.appender();
    live.begin();
    for (const ref of live.gone()) appender.appendStale(ref, timestampMs);
    for (const metric of reportMetrics) {
      const series = appender.series(reportLabels(metric, ofTarget));
      if (typeof series === "number") appender.appendStale(series, timestampMs);
    }
    // A series that another loop has written to since has a newer sample, and takes no marker.
    const committed = await appender.commit();
    if (committed.ok) live.commit();
    else {
      live.rollback();
      const reason = formatHeadFailure(committed.failure);
      observations.log("warn", "Series of a target that is gone could not be marked.", { url: target.url, reason });
    }
  }

  function appendReport(appender: HeadAppender, timestampMs: number, report: ScrapeReport): void {
    for (const [metric, value] of reportSamples(report)) {
      const series = appender.series(reportLabels(metric, ofTarget));
      if (typeof series === "number") appender.append(series, timestampMs, value);
      else {
        const reason = formatHeadRefusal(series);
        observations.log("error", "A report series was refused.", { url: target.url, metric, reason });
      }
    }
  }

  function note(failure: ScrapeFailure | undefined, timestampMs: number, durationMs: number, samples: number): void {
    metrics.scrapes.add(1);
    if (failure !== undefined) {
      metrics.failures.add(1, failure.reason);
      if (failure.reason === "too-large") metrics.bodiesTooLarge.add(1);
      // Once a change, not once a scrape: a target that is down for a day must not fill the log.
      if (status.lastError !== failure.message) {
        observations.log("warn", "A scrape failed.", { url: target.url, reason: failure.message });
      }
    }
    status = {
      ...status,
      health: failure === undefined ? "up" : "down",
      lastError: failure?.message,
      lastScrapeMs: timestampMs,
      lastDurationMs: durationMs,
      lastSamples: samples,
    };
  }

  return { scrape, markGone, status: () => status };
}
