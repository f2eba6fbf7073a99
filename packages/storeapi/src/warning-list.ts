/** Warnings of one answer: each text once, in the order they came, bounded. */
export interface WarningList {
  add(text: string): void;
  texts(): readonly string[];
}

/** More different warnings than this help nobody; how many there were is told. */
const warningsMax = 100;
const warningLengthMax = 2000;

export function createWarningList(): WarningList {
  const kept = new Set<string>();
  let dropped = 0;
  return {
    add(text) {
      const short = text.length > warningLengthMax ? `${text.slice(0, warningLengthMax)}…` : text;
      if (kept.size < warningsMax) kept.add(short);
      else if (!kept.has(short)) dropped++;
    },
    texts: () => (dropped === 0 ? [...kept] : [...kept, `and ${dropped} more warnings`]),
  };
}
