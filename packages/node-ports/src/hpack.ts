/** Header blocks of HTTP/2: RFC 7541. What is sent never touches the peer's table, so that there is none to keep here. */
import { decodeHuffman } from "./hpack-huffman.ts";

/** By lower-case name; several values of one name are joined by commas. */
export type Headers = ReadonlyMap<string, string>;

/** Names and values in turn. */
export type HeaderFields = readonly string[];

const staticTable: HeaderFields = [
  ...[":authority", "", ":method", "GET", ":method", "POST", ":path", "/", ":path", "/index.html", ":scheme", "http"],
  ...[":scheme", "https", ":status", "200", ":status", "204", ":status", "206", ":status", "304", ":status", "400"],
  ...[":status", "404", ":status", "500", "accept-charset", "", "accept-encoding", "gzip, deflate"],
  ...["accept-language", "", "accept-ranges", "", "accept", "", "access-control-allow-origin", "", "age", ""],
  ...["allow", "", "authorization", "", "cache-control", "", "content-disposition", "", "content-encoding", ""],
  ...["content-language", "", "content-length", "", "content-location", "", "content-range", "", "content-type", ""],
  ...["cookie", "", "date", "", "etag", "", "expect", "", "expires", "", "from", "", "host", "", "if-match", ""],
  ...["if-modified-since", "", "if-none-match", "", "if-range", "", "if-unmodified-since", "", "last-modified", ""],
  ...["link", "", "location", "", "max-forwards", "", "proxy-authenticate", "", "proxy-authorization", "", "range", ""],
  ...["referer", "", "refresh", "", "retry-after", "", "server", "", "set-cookie", "", "strict-transport-security", ""],
  ...["transfer-encoding", "", "user-agent", "", "vary", "", "via", "", "www-authenticate", ""],
];
const staticCount = staticTable.length / 2;

const indexesByField = new Map<string, number>();
const indexesByName = new Map<string, number>();
for (let i = staticCount; i > 0; i--) {
  const [name = "", value = ""] = staticTable.slice(2 * i - 2);
  indexesByName.set(name, i);
  indexesByField.set(`${name}\n${value}`, i);
}

let scratch = new Uint8Array(1024);

/** Each value is Latin-1. The block is good until the next call. */
export function encodeHeaders(fields: HeaderFields): Uint8Array {
  let room = 0;
  for (const text of fields) room += text.length + 6;
  if (room > scratch.length) scratch = new Uint8Array(2 * room);
  const block = scratch;
  let at = 0;
  const writeText = (text: string) => {
    at = writeInteger(block, at, 0, 7, text.length);
    for (let i = 0; i < text.length; i++) block[at++] = text.charCodeAt(i);
  };
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i] ?? "", fields[i + 1] ?? ""];
    const whole = value.length < 6 ? indexesByField.get(`${name}\n${value}`) : undefined;
    if (whole !== undefined) {
      at = writeInteger(block, at, 0x80, 7, whole);
      continue;
    }
    const index = indexesByName.get(name) ?? 0;
    at = writeInteger(block, at, 0, 4, index);
    if (index === 0) writeText(name);
    writeText(value);
  }
  return block.subarray(0, at);
}

function writeInteger(block: Uint8Array, from: number, flags: number, prefixBits: number, value: number): number {
  let at = from;
  const prefixMax = 2 ** prefixBits - 1;
  if (value < prefixMax) {
    block[at++] = flags | value;
    return at;
  }
  block[at++] = flags | prefixMax;
  let rest = value - prefixMax;
  for (; rest >= 128; rest = Math.floor(rest / 128)) block[at++] = (rest % 128) | 128;
  block[at++] = rest;
  return at;
}

export interface HeaderDecoderLimits {
  readonly fieldsMax: number;
  readonly textMax: number; // of all names and values of a block together
}

/** Decodes the blocks of one direction of a connection, in their order: each may change the table for those after it. */
export interface HeaderDecoder {
  /** Undefined where the block is malformed or too large: the connection is then of no use. */
  decode(block: Uint8Array<ArrayBuffer>): Headers | undefined;
}

/** What a table entry counts besides its text: RFC 7541, section 4.1. */
const entryBytes = 32;
const tableBytesMax = 4096; // HTTP/2's own, which our settings leave as it is
const integerMax = 2 ** 28;

export function createHeaderDecoder({ fieldsMax, textMax }: HeaderDecoderLimits): HeaderDecoder {
  let table: { readonly name: string; readonly value: string }[] = []; // newest first
  let tableBytes = 0;
  let tableBytesAllowed = tableBytesMax;
  let block = Buffer.alloc(0);
  let at = 0;

  const evict = () => {
    while (tableBytes > tableBytesAllowed) {
      const last = table.pop();
      if (last === undefined) break;
      tableBytes -= last.name.length + last.value.length + entryBytes;
    }
  };
  const remember = (name: string, value: string) => {
    tableBytes += name.length + value.length + entryBytes;
    table.unshift({ name, value });
    evict();
  };
  /** -1 where it is cut short or too large. */
  const readInteger = (prefixBits: number): number => {
    const prefixMax = 2 ** prefixBits - 1;
    let value = (block[at++] ?? 0) & prefixMax;
    if (value < prefixMax) return value;
    for (let scale = 1; at < block.length && value < integerMax; scale *= 128) {
      const byte = block[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value < integerMax ? value : -1;
    }
    return -1;
  };
  const readText = (): string | undefined => {
    if (at >= block.length) return undefined;
    const isHuffman = (block[at] ?? 0) >= 128;
    const length = readInteger(7);
    if (length < 0 || at + length > block.length) return undefined;
    const from = at;
    at += length;
    if (isHuffman) return decodeHuffman(block.subarray(from, at));
    return block.toString("latin1", from, at);
  };
  const nameAt = (index: number) =>
    index <= staticCount ? staticTable[2 * index - 2] : table[index - staticCount - 1]?.name;
  const valueAt = (index: number) =>
    index <= staticCount ? staticTable[2 * index - 1] : table[index - staticCount - 1]?.value;

  return {
    decode(bytes) {
      block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      at = 0;
      const headers = new Map<string, string>();
      let fields = 0;
      let textLength = 0;
      while (at < block.length) {
        const first = block[at] ?? 0;
        if (first >= 0x20 && first < 0x40) {
          // A new size of the table stands before the first field only.
          const size = readInteger(5);
          if (size < 0 || size > tableBytesMax || fields > 0) return undefined;
          tableBytesAllowed = size;
          evict();
          continue;
        }
        let name: string | undefined;
        let value: string | undefined;
        if (first >= 0x80) {
          const index = readInteger(7);
          if (index <= 0) return undefined;
          name = nameAt(index);
          value = valueAt(index);
        } else {
          const isKept = first >= 0x40;
          const index = readInteger(isKept ? 6 : 4);
          if (index < 0) return undefined;
          name = index === 0 ? readText() : nameAt(index);
          value = readText();
          if (isKept && name !== undefined && value !== undefined) remember(name, value);
        }
        if (name === undefined || value === undefined) return undefined;
        textLength += name.length + value.length;
        if (++fields > fieldsMax || textLength > textMax) return undefined;
        const before = headers.get(name);
        headers.set(name, before === undefined ? value : `${before}, ${value}`);
      }
      return headers;
    },
  };
}
