/**
 * What is missing from an answer, in words. Every cluster that the inventory expects and that did not answer is counted
 * in a warning; those that fail in the same way share one.
 */
import type { Trouble } from "./endpoint.ts";

/** Who was to answer: one endpoint, or a group of replicas. */
export interface MissingPart {
  readonly name: string;
  readonly isGroup: boolean;
  readonly clusters: readonly string[]; // expected through it and concerned by the request
  readonly troubles: readonly Trouble[]; // one for each endpoint tried
}

export interface MissingReport {
  /** A part that gave nothing. */
  missing(part: MissingPart): void;
  /** A part that failed after it had given some series. */
  incomplete(part: MissingPart): void;
  texts(): readonly string[];
}

const namesMax = 3;

export function createMissingReport(): MissingReport {
  interface Sentence {
    readonly start: string;
    readonly names: string[];
    readonly troubles: Trouble[];
  }
  const sentences = new Map<string, Sentence>();

  function add(what: string, { name, isGroup, clusters, troubles }: MissingPart) {
    const noun = clusters.length > 0 ? "clusters" : "endpoints";
    const ofGroup = isGroup && clusters.length > 0 ? `${clusters.length} of ${name}: ` : "";
    const start = `${noun} ${what}: ${ofGroup}`;
    const words = [...new Set(troubles.map((trouble) => trouble.words))].sort().join("; ");
    const key = `${start}(${words})`;
    let sentence = sentences.get(key);
    if (sentence === undefined) {
      sentence = { start, names: [], troubles: [] };
      sentences.set(key, sentence);
    }
    sentence.names.push(...(clusters.length > 0 ? clusters : [name]));
    sentence.troubles.push(...troubles);
  }

  return {
    missing: (part) => add("missing from the answer", part),
    incomplete: (part) => add("incomplete in the answer", part),
    texts: () =>
      Array.from(
        sentences.values(),
        ({ start, names, troubles }) => `${start}${firstOf(names)} (${describeTroubles(troubles)})`,
      ),
  };
}

function describeTroubles(troubles: readonly Trouble[]): string {
  const addressesByWords = new Map<string, string[]>();
  for (const { words, address } of troubles) {
    const addresses = addressesByWords.get(words);
    if (addresses === undefined) addressesByWords.set(words, [address]);
    else addresses.push(address);
  }
  return Array.from(addressesByWords, ([words, addresses]) => `${words} ${firstOf(addresses)}`).join("; ");
}

/** `a, b, c and 57 more` */
function firstOf(names: readonly string[]): string {
  const different = [...new Set(names)];
  const first = different.slice(0, namesMax).join(", ");
  return different.length <= namesMax ? first : `${first} and ${different.length - namesMax} more`;
}

/** How many clusters the warnings of another fan-out say are missing: 0 where it is none that keeps an inventory. */
export function missingClusterCount(warnings: readonly string[]): number {
  let count = 0;
  for (const warning of warnings) {
    const names = /^clusters missing from the answer: (?:\d+ of [^:]*: )?(.*?)(?: and (\d+) more)? \(/.exec(warning);
    if (names !== null) count += (names[1] ?? "").split(", ").length + Number(names[2] ?? 0);
  }
  return count;
}
