/** The labels of one series, as Label messages somewhere in a request or an answer of the remote protocols. */
import { fail, isSortedLabels, labelsFromPairs, labelsFromSorted, ok, type Labels, type Result } from "@pleiad/model";
import type { LabelTable } from "./label-table.ts";
import { ProtobufReader } from "./protobuf-reader.ts";

/** Notes where the messages lie; text is made of them only when it is asked for. Used again for the next series. */
export class LabelRanges {
  readonly #ranges: number[] = []; // from, to, from, to …
  readonly #table: LabelTable;

  constructor(table: LabelTable) {
    this.#table = table;
  }

  get count(): number {
    return this.#ranges.length / 2;
  }

  clear(): void {
    this.#ranges.length = 0;
  }

  /** A Label message at `source[from, to)`. */
  add(from: number, to: number): void {
    this.#ranges.push(from, to);
  }

  labels(source: Uint8Array): Result<Labels, string> {
    const ranges = this.#ranges;
    const flat: string[] = [];
    for (let i = 0; i < ranges.length; i += 2) {
      const [from, to] = [ranges[i] as number, ranges[i + 1] as number];
      if (this.#table.read(source, from, to, flat, i)) continue;
      // Without a name or a value: the table has none of those.
      const reader = new ProtobufReader(source.subarray(from, to));
      flat[i] = flat[i + 1] = "";
      while (reader.nextField()) {
        if (reader.field === 1) flat[i] = reader.text();
        else if (reader.field === 2) flat[i + 1] = reader.text();
        else reader.skip();
      }
      if (reader.failure !== undefined) return fail(`a label that does not read: ${reader.failure.reason}`);
    }
    return labelsOfTexts(flat);
  }
}

/** Of name, value, name, value …: sorted, without those that have no value; fails where a name is empty or comes twice. */
export function labelsOfTexts(flat: readonly string[]): Result<Labels, string> {
  if (isSortedLabels(flat)) return ok(labelsFromSorted(flat));
  const pairs: (readonly [string, string])[] = [];
  const names = new Set<string>();
  for (let i = 0; i < flat.length; i += 2) {
    const [name, value] = [flat[i] ?? "", flat[i + 1] ?? ""];
    if (name === "") return fail("a label without name");
    if (names.has(name)) return fail(`the label ${name} twice`);
    names.add(name);
    pairs.push([name, value]);
  }
  return ok(labelsFromPairs(pairs));
}
