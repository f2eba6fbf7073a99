/**
 * Names added to the `clusters` of a group or region, and taken out, in the text itself: ranges grow, shrink and part as
 * little as it takes, and all other bytes stay. Taking out what was just added gives the text from before, but for what
 * YAML does not need: quotes of a range in a block, and the brackets of a flow list of one entry.
 */
import { isMap, isScalar, isSeq, parseDocument, type Scalar, type YAMLSeq } from "yaml";
import { expandClusterNames } from "./cluster-range.ts";
import type { Path } from "./fleet-source.ts";
import {
  insertFirstKey,
  insertNames,
  lineStart,
  nameText,
  rangeOf,
  removeValue,
  replaceScalar,
  splice,
} from "./yaml-text.ts";

/** The text with the name at the end of the entries at `path`; undefined where they are written in a way not known here. */
export function addClusterName(text: string, path: Path, name: string): string | undefined {
  const document = parseDocument(text);
  const entries = document.getIn(path, true);
  if (entries === undefined) {
    const around = document.getIn(path.slice(0, -1), true);
    return isMap(around) ? insertFirstKey(text, around, String(path.at(-1)), name) : undefined;
  }
  if (isScalar(entries)) {
    const grown = grownRange(String(entries.value), name);
    if (grown !== undefined) return replaceScalar(text, entries, grown);
    const [from, to] = rangeOf(entries);
    const first = /["']/.test(text[from] ?? "") ? text.slice(from, to) : nameText(String(entries.value));
    return splice(text, from, to, `[${first}, ${nameText(name)}]`);
  }
  if (!isSeq(entries)) return undefined;
  for (const item of entries.items) {
    if (!isScalar(item)) return undefined;
    const grown = grownRange(String(item.value), name);
    if (grown !== undefined) return replaceScalar(text, item, grown);
  }
  return insertNames(text, entries, entries.items.length - 1, [name]);
}

/** The text without the name. Undefined where it is not in the entries, or nothing would be left of what holds them. */
export function removeClusterName(text: string, path: Path, name: string): string | undefined {
  const document = parseDocument(text);
  const entries = document.getIn(path, true);
  if (isScalar(entries)) {
    const left = withoutName(String(entries.value), name);
    if (left === undefined) return undefined;
    const [first, second] = left;
    if (first === undefined) return removeKey(text, document.getIn(path.slice(0, -1), true), path);
    if (second === undefined) return replaceScalar(text, entries, first);
    const [from, to] = rangeOf(entries);
    return splice(text, from, to, `[${nameText(first)}, ${nameText(second)}]`);
  }
  if (!isSeq(entries)) return undefined;
  for (const [index, item] of entries.items.entries()) {
    if (!isScalar(item)) return undefined;
    const left = withoutName(String(item.value), name);
    if (left === undefined) continue;
    const [first, second] = left;
    if (first === undefined) return removeItem(text, document.getIn(path.slice(0, -1), true), path, entries, index);
    // Behind first, so that the place of what stands before it is not moved.
    const parted = second === undefined ? text : insertNames(text, entries, index, [second]);
    return parted === undefined ? undefined : replaceScalar(parted, item, first);
  }
  return undefined;
}

/** The text with another number at `path`, where it has one. */
export function replaceNumber(text: string, path: Path, value: number): string {
  const node = parseDocument(text).getIn(path, true);
  return isScalar(node) ? splice(text, ...rangeOf(node), String(value)) : text;
}

/** The range with the name at one of its ends; undefined where it is not the next one. */
function grownRange(entry: string, name: string): string | undefined {
  const parts = /^([^{}]*)\{(\d{1,12})\.\.(\d{1,12})\}([^{}]*)$/.exec(entry);
  if (parts === null) return undefined;
  const [, prefix = "", first = "", last = "", suffix = ""] = parts;
  if (!name.startsWith(prefix) || !name.endsWith(suffix) || name.length <= prefix.length + suffix.length) {
    return undefined;
  }
  const digits = name.slice(prefix.length, name.length - suffix.length);
  if (!/^\d{1,12}$/.test(digits)) return undefined;
  const isNext = Number(digits) === Number(last) + 1;
  if (!isNext && Number(digits) !== Number(first) - 1) return undefined;
  const grown = `${prefix}{${isNext ? `${first}..${digits}` : `${digits}..${last}`}}${suffix}`;
  // Digits that are padded in another way would change every name of the range.
  const before = expandClusterNames(entry);
  const after = expandClusterNames(grown);
  if (!before.ok || !after.ok) return undefined;
  const expected = isNext ? [...before.value, name] : [name, ...before.value];
  return expected.every((one, i) => after.value[i] === one) ? grown : undefined;
}

/** What is left of an entry without the name: nothing, one entry or two; undefined where it does not have the name. */
function withoutName(entry: string, name: string): readonly string[] | undefined {
  if (entry === name) return [];
  const names = expandClusterNames(entry);
  if (!names.ok) return undefined;
  const at = names.value.indexOf(name);
  if (at < 0) return undefined;
  const digitsOf = (one: string) => one.slice(entry.indexOf("{"), one.length - (entry.length - entry.indexOf("}") - 1));
  const part = (from: number, to: number) => {
    const [first, last] = [names.value[from] ?? "", names.value[to] ?? ""];
    return `${entry.slice(0, entry.indexOf("{"))}{${digitsOf(first)}..${digitsOf(last)}}${entry.slice(entry.indexOf("}") + 1)}`;
  };
  const end = names.value.length - 1;
  const parts: string[] = [];
  // A range that shrinks to one name stays a range, since it grows again; one that is cut out of another does not.
  if (at > 0) parts.push(at === 1 && at < end ? (names.value[0] ?? "") : part(0, at - 1));
  if (at < end) parts.push(at === end - 1 && at > 0 ? (names.value[end] ?? "") : part(at + 1, end));
  return parts;
}

function removeItem(text: string, around: unknown, path: Path, list: YAMLSeq, index: number): string | undefined {
  const [item, before, after] = [list.items[index], list.items[index - 1], list.items[index + 1]];
  if (!isScalar(item)) return undefined;
  if (list.items.length === 1) return removeKey(text, around, path);
  const [from, to] = rangeOf(item);
  if (list.flow !== true) {
    const end = text.indexOf("\n", to);
    // The last line of a text that does not end in a line break takes the break before it along.
    return end < 0 ? text.slice(0, lineStart(text, from) - 1) : splice(text, lineStart(text, from), end + 1, "");
  }
  const other = before ?? after;
  if (list.items.length === 2 && isScalar(other)) {
    const isInFlow = isMap(around) && around.flow === true;
    return splice(text, ...rangeOf(list), isInFlow ? text.slice(...rangeOf(other)) : blockEntry(text, other));
  }
  if (isScalar(before)) return splice(text, rangeOf(before)[1], to, "");
  return isScalar(after) ? splice(text, from, rangeOf(after)[0], "") : undefined;
}

/** An entry taken out of a flow list into a block: what only the list needed quotes for loses them. */
function blockEntry(text: string, node: Scalar): string {
  const value = String(node.value);
  return text[rangeOf(node)[0]] === '"' && /[{}]/.test(value) ? value : text.slice(...rangeOf(node));
}

/** Takes a pair out of a mapping that has others; one that is the only one says what the mapping is for. */
function removeKey(text: string, around: unknown, path: Path): string | undefined {
  return isMap(around) && around.items.length > 1 ? removeValue(text, path) : undefined;
}
