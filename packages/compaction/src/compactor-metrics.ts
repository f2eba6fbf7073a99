/** What a compactor tells of itself, under Thanos's names. */
import { blockMarkFiles } from "@pleiad/blocks";
import type { Observations } from "@pleiad/ports";

export type CompactorMetrics = ReturnType<typeof compactorMetrics>;

/** The counters and gauges, each declared once. */
export function compactorMetrics(observations: Pick<Observations, "counter" | "gauge" | "histogram">) {
  const { counter, gauge } = {
    counter: (name: string, help: string, labels: readonly string[] = []) => observations.counter(name, help, labels),
    gauge: (name: string, help: string, labels: readonly string[] = []) => observations.gauge(name, help, labels),
  };
  const resolution = ["resolution"];
  /** Present from the start, so that a rate over it sees the first event too: raw blocks, and both that are downsampled. */
  const byResolution = (name: string, help: string) => {
    const made = counter(name, help, resolution);
    for (const known of ["0", "300000", "3600000"]) made.add(0, known);
    return made;
  };
  const blocksMarked = counter("thanos_compact_blocks_marked_total", "Marks written.", ["marker", "reason"]);
  blocksMarked.add(0, blockMarkFiles.deletion, "");
  return {
    iterations: counter("thanos_compact_iterations_total", "Passes over the bucket that ended well."),
    retries: counter(
      "thanos_compact_retries_total",
      "Work that bucket or disk broke off and that will be tried again.",
    ),
    halted: gauge("thanos_compact_halted", "1 if some stream is halted until a person acts, else 0."),
    streamHalted: gauge("pleiad_compact_stream_halted", "1 for each stream that is halted until a person acts.", [
      "group",
    ]),
    syncs: counter("thanos_blocks_meta_syncs_total", "Times that the list of blocks was read."),
    syncFailures: counter("thanos_blocks_meta_sync_failures_total", "Times that the list of blocks could not be read."),
    syncSeconds: observations.histogram(
      "thanos_blocks_meta_sync_duration_seconds",
      "How long it took to read the list of blocks.",
      [0.01, 0.1, 0.5, 1, 5, 10, 60, 300],
    ),
    synced: gauge("thanos_blocks_meta_synced", "Blocks of the bucket by what compaction makes of them.", ["state"]),
    runsStarted: byResolution("thanos_compact_group_compaction_runs_started_total", "Plans begun."),
    runsCompleted: byResolution("thanos_compact_group_compaction_runs_completed_total", "Plans carried out."),
    compactions: byResolution("thanos_compact_group_compactions_total", "Blocks made by compaction."),
    compactionFailures: byResolution("thanos_compact_group_compactions_failures_total", "Plans that failed."),
    verticalCompactions: byResolution(
      "thanos_compact_group_vertical_compactions_total",
      "Blocks made of blocks that overlapped.",
    ),
    garbageCollections: counter("thanos_compact_garbage_collection_total", "Searches for blocks that others cover."),
    garbageCollected: counter(
      "thanos_compact_garbage_collected_blocks_total",
      "Blocks marked since others cover them.",
    ),
    downsamplings: byResolution("thanos_compact_downsample_total", "Blocks downsampled."),
    downsampleFailures: byResolution("thanos_compact_downsample_failures_total", "Blocks that could not be."),
    todoCompactions: gauge("thanos_compact_todo_compactions", "Compactions to do until nothing is left to merge."),
    todoCompactionBlocks: gauge("thanos_compact_todo_compaction_blocks", "Blocks that those compactions will read."),
    todoDownsampleBlocks: gauge("thanos_compact_todo_downsample_blocks", "Blocks to downsample."),
    todoDeletionBlocks: gauge("thanos_compact_todo_deletion_blocks", "Blocks that retention will mark for deletion."),
    blocksMarked,
    blocksCleaned: counter("thanos_compact_blocks_cleaned_total", "Marked blocks deleted."),
    cleanupFailures: counter("thanos_compact_block_cleanup_failures_total", "Blocks that could not be deleted."),
    partialUploadsDeleted: counter(
      "thanos_compact_aborted_partial_uploads_deletion_attempts_total",
      "Uploads that broke off long ago, removed.",
    ),
    cleaningStopped: gauge(
      "pleiad_compact_cleaning_stopped",
      "1 while a clock that is wrong keeps all deletions, else 0.",
    ),
    deleteDelay: gauge("thanos_delete_delay_seconds", "From the mark to the deletion of a block."),
  };
}
