/** Many sorted streams of series as one: in label order, equal label sets made one. */
import {
  compareLabels,
  createLoserTree,
  labelsEqual,
  uniteChunks,
  type LoserTree,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import type { ReplicaStream } from "./replica-stream.ts";

export interface SeriesMergeOptions {
  readonly source: string; // what failures call the merge
  readonly seriesMax: number;
  readonly bytesMax: number; // received from all streams
  /** Whether the first stream that fails is the end of the merge. One that goes over a limit always is. */
  readonly onFailure: "warn" | "abort";
}

export interface SeriesMerge {
  /** The next series, at least one; undefined at the end or after a failure. */
  next(): Promise<readonly SourceSeries[] | undefined>;
  readonly failure: SourceFailure | undefined;
}

const batchSeriesMax = 512;

export function mergeSeries(streams: readonly ReplicaStream[], options: SeriesMergeOptions): SeriesMerge {
  const { source, seriesMax, bytesMax, onFailure } = options;
  let tree: LoserTree | undefined;
  let failure: SourceFailure | undefined;
  let seriesCount = 0;

  function before(a: number, b: number): boolean {
    const x = streams[a]?.current;
    const y = streams[b]?.current;
    // A stream that has ended comes after all others.
    if (x === undefined) return false;
    return y === undefined || compareLabels(x.labels, y.labels) < 0;
  }

  /** Whether a stream has ended in a way that ends the merge. */
  function aborts(stream: ReplicaStream): boolean {
    if (stream.current !== undefined || stream.failure === undefined) return false;
    // What is too much from one endpoint is too much from all: the question is to be narrowed, not the answer.
    if (onFailure === "warn" && stream.failure.kind !== "limit") return false;
    ({ failure } = stream);
    return true;
  }

  async function begin(): Promise<LoserTree | undefined> {
    await Promise.all(streams.map((stream) => stream.ready()));
    if (streams.some(aborts)) return undefined;
    return createLoserTree(streams.length, before);
  }

  return {
    get failure() {
      return failure;
    },
    async next() {
      if (failure !== undefined || streams.length === 0) return undefined;
      tree ??= await begin();
      if (tree === undefined) return undefined;
      const batch: SourceSeries[] = [];
      let received = 0;
      for (const stream of streams) received += stream.receivedBytes;
      if (received > bytesMax) {
        failure = { kind: "limit", source, of: "bytes", max: bytesMax };
        return undefined;
      }
      let whole: SourceSeries | undefined; // to which the next stream may have more chunks
      for (;;) {
        const stream = streams[tree.winner] as ReplicaStream;
        const { current } = stream;
        if (current === undefined) break;
        if (whole !== undefined && labelsEqual(whole.labels, current.labels)) {
          whole = { labels: whole.labels, chunks: uniteChunks(whole.chunks, current.chunks) };
        } else {
          if (whole !== undefined) batch.push(whole);
          whole = undefined;
          if (batch.length >= batchSeriesMax) return batch;
          if (++seriesCount > seriesMax) {
            failure = { kind: "limit", source, of: "series", max: seriesMax };
            return undefined;
          }
          whole = current;
        }
        if (!stream.advance()) await stream.ready();
        if (aborts(stream)) return undefined;
        tree.replay();
      }
      if (whole !== undefined) batch.push(whole);
      return batch.length === 0 ? undefined : batch;
    },
  };
}
