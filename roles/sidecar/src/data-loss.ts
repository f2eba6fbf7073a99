/** What about a Prometheus would make its sidecar lose data, or mix it with another's. No I/O. */
import { parseDuration } from "@pleiad/model";
import type { PrometheusState } from "./prometheus-watch.ts";

export interface DataLossOptions {
  /** Whether its blocks are taken to a bucket. */
  readonly ships: boolean;
  /** Whether it is known that blocks are compacted here, and taken all the same. */
  readonly ignoresUnequalBlockSize: boolean;
}

/** Blocks wait at most this many of their durations for a bucket before Prometheus drops them. */
const retentionBlocksMin = 3;

/** Why a sidecar must not work beside this Prometheus; undefined where it may. */
export function refusalOf({ externalLabels, flags }: PrometheusState, options: DataLossOptions): string | undefined {
  if (externalLabels.length === 0) {
    return "Prometheus has no external labels, so its series could be anybody's: set global.external_labels in its configuration";
  }
  if (!options.ships || options.ignoresUnequalBlockSize) return undefined;
  const { minBlockDuration, maxBlockDuration } = flags;
  if (minBlockDuration === "" || maxBlockDuration === "") {
    return "Prometheus does not say how long its blocks are: whether it compacts them while they are uploaded is not known";
  }
  if (minBlockDuration === maxBlockDuration) return undefined;
  return `Prometheus compacts its blocks (${minBlockDuration} to ${maxBlockDuration}) while they are uploaded, and some would never be: start it with --storage.tsdb.min-block-duration=${minBlockDuration} --storage.tsdb.max-block-duration=${minBlockDuration}`;
}

/** What works, and leaves little room for something to go wrong; undefined where there is room. */
export function riskOf({ flags }: PrometheusState, options: DataLossOptions): string | undefined {
  if (!options.ships) return undefined;
  const retention = parseDuration(flags.retention);
  const block = parseDuration(flags.minBlockDuration);
  if (!retention.ok || !block.ok || retention.value === 0) return undefined;
  if (retention.value >= retentionBlocksMin * block.value) return undefined;
  return `Prometheus drops blocks after ${flags.retention}: a bucket that is away for longer never gets them`;
}
