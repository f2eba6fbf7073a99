/** Figures beside what was aimed at: by the design that the fleet came from, and by us. */

export interface Figure {
  readonly name: string;
  readonly designed: string;
  readonly wanted: string;
  readonly seen: string;
  /** Undefined where no number was aimed at, or none could be taken. */
  readonly isMet?: boolean;
  /** An answer that was none, or not whole: then the other figures mean nothing. */
  readonly fault?: string;
}

const widths = [46, 18, 18] as const;

export const figureHeading = figureLine("figure", "design", "ours", "seen");

export function formatFigure({ name, designed, wanted, seen, isMet }: Figure): string {
  const verdict = isMet === undefined ? "" : isMet ? "  met" : "  NOT MET";
  return figureLine(name, designed, wanted, `${seen}${verdict}`);
}

function figureLine(name: string, designed: string, wanted: string, seen: string): string {
  return `${name.padEnd(widths[0])}${designed.padEnd(widths[1])}${wanted.padEnd(widths[2])}${seen}\n`;
}
