/** Pieces of time as sorted lists that do not touch: what is there, what is wanted, what is missing. Pure. */

export interface TimePiece {
  readonly fromMs: number;
  readonly untilMs: number; // exclusive
}

/** The list with one piece more. */
export function withPiece(pieces: readonly TimePiece[], piece: TimePiece): readonly TimePiece[] {
  const apart: TimePiece[] = [];
  let { fromMs, untilMs } = piece;
  for (const one of pieces) {
    if (one.untilMs < fromMs || one.fromMs > untilMs) apart.push(one);
    else {
      fromMs = Math.min(fromMs, one.fromMs);
      untilMs = Math.max(untilMs, one.untilMs);
    }
  }
  return [...apart, { fromMs, untilMs }].sort((a, b) => a.fromMs - b.fromMs);
}

/** What of the first list the second lacks. */
export function withoutPieces(pieces: readonly TimePiece[], taken: readonly TimePiece[]): readonly TimePiece[] {
  return pieces.flatMap((piece) => {
    const left: TimePiece[] = [];
    let { fromMs } = piece;
    for (const one of taken) {
      if (one.untilMs <= fromMs || one.fromMs >= piece.untilMs) continue;
      if (one.fromMs > fromMs) left.push({ fromMs, untilMs: one.fromMs });
      fromMs = Math.max(fromMs, one.untilMs);
    }
    if (fromMs < piece.untilMs) left.push({ fromMs, untilMs: piece.untilMs });
    return left;
  });
}

/** The same time in pieces that do not cross a multiple of `rangeMs`. */
export function cutPieces(pieces: readonly TimePiece[], rangeMs: number): readonly TimePiece[] {
  return pieces.flatMap(({ fromMs, untilMs }) => {
    const cut: TimePiece[] = [];
    for (let at = fromMs; at < untilMs;) {
      const next = Math.min(untilMs, (Math.floor(at / rangeMs) + 1) * rangeMs);
      cut.push({ fromMs: at, untilMs: next });
      at = next;
    }
    return cut;
  });
}
