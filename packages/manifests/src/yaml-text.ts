/** Data as YAML text: the same text for the same data, keys in the order in which they were written. */
import { stringify } from "yaml";

/** One document. Long strings stay on their line, and equal parts are written out: what is read is what is meant. */
export function yamlOf(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Documents of one file, in their order. */
export function yamlDocuments(values: readonly unknown[]): string {
  return values.map(yamlOf).join("---\n");
}
