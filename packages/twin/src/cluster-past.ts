/**
 * What of the past of a made-up cluster its agent takes in at a start, and what it leaves to the history in the bucket.
 * The agent has the newest hours whole; what is before them is a gap, and so is the time that a twin was off for longer.
 */
import { fail, ok, type Result } from "@pleiad/model";
import type { FileSystem } from "@pleiad/ports";
import { blockRangeMs, firstScrapeMs } from "./past-series.ts";
import type { TimePiece } from "./time-pieces.ts";

export interface PastQuestion {
  readonly nowMs: number;
  readonly backfillMs: number;
  /** The end of what the agent has; undefined where it has nothing. */
  readonly knownUntilMs: number | undefined;
  readonly intervalMs: number;
  readonly offsetMs: number;
}

export interface PastPlan {
  /** What the agent takes in, in this order. */
  readonly fills: readonly TimePiece[];
  readonly gap: TimePiece | undefined;
}

/** A gap ends with the first sample behind it and begins where a block of the agent ends, so that no block has both. */
export function planPast({ nowMs, backfillMs, knownUntilMs, intervalMs, offsetMs }: PastQuestion): PastPlan {
  const recentMs = nowMs - backfillMs;
  if (knownUntilMs === undefined) {
    const beginMs = firstScrapeMs(recentMs, intervalMs, offsetMs);
    return { fills: [{ fromMs: beginMs, untilMs: nowMs }], gap: { fromMs: 0, untilMs: beginMs } };
  }
  const blockEndMs = Math.ceil(knownUntilMs / blockRangeMs) * blockRangeMs;
  const beginMs = firstScrapeMs(recentMs, intervalMs, offsetMs);
  if (beginMs <= blockEndMs + blockRangeMs / 2) {
    return { fills: knownUntilMs < nowMs ? [{ fromMs: knownUntilMs, untilMs: nowMs }] : [], gap: undefined };
  }
  return {
    fills: [
      { fromMs: knownUntilMs, untilMs: blockEndMs },
      { fromMs: beginMs, untilMs: nowMs },
    ],
    gap: { fromMs: blockEndMs, untilMs: beginMs },
  };
}

/** The gaps of a cluster, in a file that its agent's process writes and the history reads. */
export interface GapFile {
  read(): Promise<Result<readonly TimePiece[], string>>;
  /** A gap that begins where an older one does takes its place: a start that broke off comes again. */
  add(gap: TimePiece): Promise<Result<void, string>>;
}

export function gapFile(path: string, files: FileSystem): GapFile {
  const read = async (): Promise<Result<readonly TimePiece[], string>> => await readPieces(path, files);
  return {
    read,
    add: async (gap) => {
      const known = await read();
      if (!known.ok) return known;
      const others = known.value.filter(({ fromMs }) => fromMs !== gap.fromMs);
      await writePieces(path, [...others, gap], files);
      return ok(undefined);
    },
  };
}

const pieceFileVersion = 1;

/** Nothing where the file is not there. */
export async function readPieces(path: string, files: FileSystem): Promise<Result<readonly TimePiece[], string>> {
  if (!(await files.exists(path))) return ok([]);
  try {
    const json = JSON.parse(new TextDecoder().decode(await files.readFile(path))) as {
      readonly version?: unknown;
      readonly pieces?: readonly Partial<TimePiece>[];
    };
    const pieces = (json.pieces ?? []).map(({ fromMs, untilMs }) => ({ fromMs, untilMs }));
    if (json.version === pieceFileVersion && pieces.every(isPiece)) return ok(pieces);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return fail(`${path} is damaged; remove it, and what it tells of is made anew`);
}

export async function writePieces(path: string, pieces: readonly TimePiece[], files: FileSystem): Promise<void> {
  const sorted = pieces.toSorted((a, b) => a.fromMs - b.fromMs);
  await files.writeFileAtomic(
    path,
    new TextEncoder().encode(`${JSON.stringify({ version: pieceFileVersion, pieces: sorted })}\n`),
  );
}

function isPiece(piece: { readonly fromMs: unknown; readonly untilMs: unknown }): piece is TimePiece {
  return Number.isFinite(piece.fromMs) && Number.isFinite(piece.untilMs);
}

/** Where both files of a cluster are. */
export function historyFiles(
  dataDirectory: string,
  cluster: string,
): { readonly gaps: string; readonly written: string } {
  return {
    gaps: `${dataDirectory}/history/${cluster}.gaps.json`,
    written: `${dataDirectory}/history/${cluster}.written.json`,
  };
}
