import { hashBytes } from "@pleiad/model";
import { decodeUtf8, ProtobufReader } from "./protobuf-reader.ts";

/**
 * Labels seen before, found by their encoded bytes. Making text from bytes is five sixths of the cost of decoding
 * series, and series repeat their labels: a label whose bytes are known costs a hash and a comparison, and gives the
 * very same strings, which later comparisons find equal by identity.
 *
 * Bounded in labels and bytes: when it is full it starts over empty. May be shared by many decoders.
 */
export interface LabelTable {
  /**
   * Puts name and value of the label message at `bytes[from, to)` into `flat[at]` and `flat[at + 1]`. False where it is
   * malformed, has no name or no value, or text that is not UTF-8: nothing is put then.
   */
  read(bytes: Uint8Array, from: number, to: number, flat: string[], at: number): boolean;
  /** Labels held now. */
  readonly size: number;
}

export interface LabelTableOptions {
  readonly labelsMax: number;
  readonly bytesMax: number;
}

export const defaultLabelTable: LabelTableOptions = { labelsMax: 1 << 16, bytesMax: 4 << 20 };

/** A longer label is decoded each time: it is unlikely to come again, and would crowd out many others. */
const heldLengthMax = 512;

/** Labels whose hashes collide are looked at up to this many times, so that no choice of labels makes a table slow. */
const probesMax = 16;

const nameTag = 0x0a; // field 1, length-delimited
const valueTag = 0x12; // field 2, length-delimited

export function createLabelTable(options: LabelTableOptions = defaultLabelTable): LabelTable {
  const { labelsMax, bytesMax } = options;
  let slots = new Int32Array(1024).fill(-1); // entry number by hash, open addressing
  let hashes = new Int32Array(512); // by entry
  let starts = new Int32Array(513); // by entry; the next one's start is its end
  let held = new Uint8Array(16 << 10);
  let names: string[] = [];
  let values: string[] = [];
  let knownNames = new Map<string, string>();

  function clear() {
    slots.fill(-1);
    names = [];
    values = [];
    knownNames = new Map();
  }

  function grow() {
    slots = new Int32Array(2 * slots.length).fill(-1);
    hashes = growInt32(hashes);
    starts = growInt32(starts);
    const mask = slots.length - 1;
    for (let entry = 0; entry < names.length; entry++) {
      let slot = (hashes[entry] as number) & mask;
      while (slots[slot] !== -1) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
  }

  function add(bytes: Uint8Array, from: number, to: number, hash: number, name: string, value: string) {
    const length = to - from;
    if (names.length >= labelsMax || (starts[names.length] as number) + length > bytesMax) clear();
    if (2 * (names.length + 1) > slots.length) grow();
    const entry = names.length;
    const start = entry === 0 ? 0 : (starts[entry] as number);
    if (start + length > held.length) {
      const larger = new Uint8Array(Math.max(2 * held.length, start + length));
      larger.set(held);
      held = larger;
    }
    for (let i = 0; i < length; i++) held[start + i] = bytes[from + i] as number;
    starts[entry] = start;
    starts[entry + 1] = start + length;
    hashes[entry] = hash;
    names.push(name);
    values.push(value);
    const mask = slots.length - 1;
    let slot = hash & mask;
    while (slots[slot] !== -1) slot = (slot + 1) & mask;
    slots[slot] = entry;
  }

  return {
    get size() {
      return names.length;
    },
    read(bytes, from, to, flat, at) {
      const length = to - from;
      const hash = length <= heldLengthMax ? hashBytes(bytes, from, to) : 0;
      if (length <= heldLengthMax) {
        const mask = slots.length - 1;
        let slot = hash & mask;
        for (let probes = 0; probes < probesMax; probes++) {
          const entry = slots[slot] as number;
          if (entry === -1) break;
          if (hashes[entry] === hash) {
            const start = starts[entry] as number;
            if ((starts[entry + 1] as number) - start === length) {
              let i = 0;
              while (i < length && held[start + i] === bytes[from + i]) i++;
              if (i === length) {
                flat[at] = names[entry] as string;
                flat[at + 1] = values[entry] as string;
                return true;
              }
            }
          }
          slot = (slot + 1) & mask;
        }
      }
      const label = decodeLabel(bytes, from, to);
      if (label === undefined) return false;
      const [name, value] = label;
      const knownName = knownNames.get(name) ?? name;
      if (length <= heldLengthMax) {
        add(bytes, from, to, hash, knownName, value);
        knownNames.set(knownName, knownName);
      }
      flat[at] = knownName;
      flat[at + 1] = value;
      return true;
    },
  };
}

function growInt32(old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * old.length);
  larger.set(old);
  return larger;
}

function decodeLabel(bytes: Uint8Array, from: number, to: number): readonly [string, string] | undefined {
  // The usual form first: name then value, both shorter than 128 bytes.
  const nameLength = bytes[from + 1] as number;
  const valueAt = from + 2 + nameLength;
  if (to - from >= 4 && bytes[from] === nameTag && nameLength < 0x80 && valueAt + 2 <= to) {
    const valueLength = bytes[valueAt + 1] as number;
    if (bytes[valueAt] === valueTag && valueLength < 0x80 && valueAt + 2 + valueLength === to) {
      return checkedLabel(decodeUtf8(bytes, from + 2, valueAt), decodeUtf8(bytes, valueAt + 2, to));
    }
  }
  const reader = new ProtobufReader(bytes.subarray(from, to));
  let name = "";
  let value = "";
  while (reader.nextField()) {
    if (reader.field === 1) name = reader.text();
    else if (reader.field === 2) value = reader.text();
    else reader.skip();
  }
  return reader.failure === undefined ? checkedLabel(name, value) : undefined;
}

function checkedLabel(name: string | undefined, value: string | undefined): readonly [string, string] | undefined {
  return name === undefined || name === "" || value === undefined || value === "" ? undefined : [name, value];
}
