/**
 * Edits of a YAML text that touch nothing but what they are about: comments, order, quotes and blanks of all other lines
 * stay as they are, so that the difference to the old file is what was corrected and no more.
 */
import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  parseDocument,
  stringify,
  type Document,
  type Pair,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import type { Path } from "./fleet-source.ts";

export type FleetValue = string | number | boolean | readonly FleetValue[] | { readonly [key: string]: FleetValue };

/** A change of the fleet file. Removing what is not there changes nothing. */
export type FleetEdit =
  | { readonly kind: "set"; readonly path: Path; readonly value: FleetValue }
  | { readonly kind: "remove"; readonly path: Path };

/** Makes all edits. What several of them set is set by the last; what one sets and another removes is set. */
export function applyEdits(text: string, edits: readonly FleetEdit[]): string {
  const last = new Map(edits.flatMap((edit) => (edit.kind === "set" ? [[JSON.stringify(edit.path), edit]] : [])));
  let edited = text;
  for (const { path, value } of last.values()) edited = setValue(edited, path, value);
  for (const { kind, path } of edits) {
    if (kind === "remove" && !last.has(JSON.stringify(path))) edited = removeValue(edited, path);
  }
  return edited;
}

function setValue(text: string, path: Path, value: FleetValue): string {
  const document = parseDocument(text);
  const old = document.getIn(path, true);
  if (isScalar(old) || isAlias(old) || isMap(old) || isSeq(old)) {
    const [from, to] = old.range ?? [0, 0];
    // A block reaches to the end of its last line; what stands there instead is one line.
    const isBlock = (isMap(old) || isSeq(old)) && old.flow !== true;
    if (!isBlock) return splice(text, from, to, flowText(value));
    return setValue(removeValue(text, path), path, value);
  }
  const parent = path.slice(0, -1);
  const key = String(path.at(-1) ?? "");
  const around = parent.length === 0 ? document.contents : document.getIn(parent, true);
  if (!isMap(around)) {
    // Nothing there, or a key without a value: the whole mapping is new.
    return parent.length === 0
      ? `${keyText(key)}: ${flowText(value)}\n`
      : setValue(removeValue(text, parent), parent, { [key]: value });
  }
  return around.flow === true ? addToFlow(text, around, key, value) : addToBlock(text, around, key, value, document);
}

function addToFlow(text: string, map: YAMLMap, key: string, value: FleetValue): string {
  const end = (map.range?.[1] ?? 1) - 1; // of the closing brace
  const inside = text.slice(map.range?.[0] ?? 0, end);
  const blanks = /\s*$/.exec(inside)?.[0].length ?? 0;
  const separator = map.items.length === 0 ? " " : ", ";
  return splice(text, end - blanks, end, `${separator}${keyText(key)}: ${flowText(value)} `);
}

function addToBlock(text: string, map: YAMLMap, key: string, value: FleetValue, document: Document.Parsed): string {
  const { from } = pairRange(text, map.items[0], document);
  const indent = text.slice(lineStart(text, from), from).replace(/\S/g, " ");
  const { to } = pairRange(text, map.items.at(-1), document);
  const line = `${indent}${keyText(key)}: ${flowText(value)}\n`;
  return text.length > 0 && to >= text.length && !text.endsWith("\n") ? `${text}\n${line}` : splice(text, to, to, line);
}

/** The text without the key at `path`. What is left empty goes too: a mapping without keys says nothing. */
export function removeValue(text: string, path: Path): string {
  const document = parseDocument(text);
  const parent = path.slice(0, -1);
  const around = parent.length === 0 ? document.contents : document.getIn(parent, true);
  if (!isMap(around)) return text;
  const index = around.items.findIndex(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)));
  if (index < 0) return text;
  if (around.items.length === 1 && parent.length > 0) return removeValue(text, parent);
  const pair = around.items[index];
  if (around.flow !== true) {
    const { from, to } = pairRange(text, pair, document);
    return splice(text, lineStart(text, from), to, "");
  }
  const own = flowPairRange(pair);
  const next = around.items[index + 1];
  const before = around.items[index - 1];
  if (next !== undefined) return splice(text, own.from, flowPairRange(next).from, "");
  return splice(text, before === undefined ? own.from : flowPairRange(before).to, own.to, "");
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function flowPairRange(pair: unknown): Range {
  if (!isPair(pair)) throw new Error("a mapping holds something else than pairs");
  const [from, keyEnd] = rangeOf(pair.key);
  return { from, to: pair.value === null ? keyEnd : rangeOf(pair.value)[1] };
}

/** From the key to the end of the pair's last line. Comments and blank lines after it belong to what follows. */
function pairRange(text: string, pair: Pair | undefined, document: Document.Parsed): Range {
  if (pair === undefined) return { from: document.range[1], to: document.range[1] };
  const from = rangeOf(pair.key)[0];
  const value = pair.value;
  let to = rangeOf(pair.key)[1];
  if (isMap(value) && value.flow !== true && value.items.length > 0)
    to = pairRange(text, value.items.at(-1), document).to - 1;
  else if (isSeq(value) && value.flow !== true && value.items.length > 0) to = rangeOf(value.items.at(-1))[1];
  else if (value !== null && value !== undefined) to = Math.max(to, rangeOf(value)[1]);
  const lineEnd = text.indexOf("\n", to);
  return { from, to: lineEnd < 0 ? text.length : lineEnd + 1 };
}

/** The scalar with another text in it, in the quotes that it has. */
export function replaceScalar(text: string, node: Scalar, value: string): string {
  const [from, to] = rangeOf(node);
  const quoted = text[from] === '"' ? JSON.stringify(value) : text[from] === "'" ? `'${value}'` : value;
  return splice(text, from, to, quoted);
}

/** Names behind the item of a list, in its form; undefined where the list is written in a way not known here. */
export function insertNames(text: string, list: YAMLSeq, index: number, names: readonly string[]): string | undefined {
  const item = list.items[index];
  if (!isScalar(item)) return undefined;
  const [from, to] = rangeOf(item);
  if (list.flow === true) return splice(text, to, to, names.map((name) => `, ${nameText(name)}`).join(""));
  const before = text.slice(lineStart(text, from), from);
  const dash = /^\s*-\s+$/.test(before) ? before : undefined;
  if (dash === undefined) return undefined;
  const end = text.indexOf("\n", to);
  const lines = names.map((name) => `${dash}${name}`);
  if (end < 0) return `${text}\n${lines.join("\n")}`;
  const lineBreak = text[end - 1] === "\r" ? "\r\n" : "\n";
  return splice(text, end + 1, end + 1, lines.map((line) => `${line}${lineBreak}`).join(""));
}

/** A key before all others of a mapping; undefined where there is no first one to go by. */
export function insertFirstKey(text: string, map: YAMLMap, key: string, name: string): string | undefined {
  const first = map.items[0]?.key;
  if (!isScalar(first)) return undefined;
  const [from] = rangeOf(first);
  if (map.flow === true) return splice(text, from, from, `${key}: ${nameText(name)}, `);
  const indent = text.slice(lineStart(text, from), from);
  return /^\s*$/.test(indent) ? splice(text, from, from, `${key}: ${name}\n${indent}`) : undefined;
}

/** A name, or a range of them, as an item of a flow list. */
export function nameText(name: string): string {
  return /[{}]/.test(name) || /^\d/.test(name) ? JSON.stringify(name) : name;
}

export function rangeOf(node: unknown): readonly [from: number, to: number] {
  if ((isScalar(node) || isAlias(node) || isMap(node) || isSeq(node)) && node.range)
    return [node.range[0], node.range[1]];
  throw new Error("a node of a parsed text has no place in it");
}

export function lineStart(text: string, at: number): number {
  return text.lastIndexOf("\n", at - 1) + 1;
}

export function splice(text: string, from: number, to: number, inserted: string): string {
  return text.slice(0, from) + inserted + text.slice(to);
}

/** `{ replicas: 2, tiers: [1, 2] }`, quoted where YAML needs it. */
function flowText(value: FleetValue): string {
  if (typeof value !== "object") {
    const plain = stringify(value, { lineWidth: 0 }).trimEnd();
    return typeof value === "string" && /[,[\]{}]/.test(plain) && !/^["']/.test(plain) ? JSON.stringify(value) : plain;
  }
  if (Array.isArray(value)) return `[${(value as readonly FleetValue[]).map(flowText).join(", ")}]`;
  const pairs = Object.entries(value as Readonly<Record<string, FleetValue>>);
  return `{ ${pairs.map(([key, one]) => `${keyText(key)}: ${flowText(one)}`).join(", ")} }`;
}

/** As names of this format are written. What starts with a digit is quoted, since people take it for a number. */
function keyText(key: string): string {
  return /^[A-Za-z_][\w.-]*$/.test(key) ? key : JSON.stringify(key);
}
