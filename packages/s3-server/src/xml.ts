/** The little XML that S3 speaks. */
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { S3Error } from "./s3-error.ts";

/** An element by its name and what is in it. */
export type XmlElement = readonly [name: string, content: string | number | boolean | readonly XmlElement[]];

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

/** A whole document. An error has no namespace, as with S3. */
export function renderXml([name, content]: XmlElement): string {
  const opening = name === "Error" ? name : `${name} xmlns="${namespace}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${opening}>${renderContent(content)}</${name}>`;
}

function renderContent(content: XmlElement[1]): string {
  if (typeof content === "string") return escapeText(content);
  if (typeof content !== "object") return String(content);
  return content.map(([name, inner]) => `<${name}>${renderContent(inner)}</${name}>`).join("");
}

function escapeText(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false, // a key may begin or end with a space
  removeNSPrefix: true,
  isArray: () => true,
  htmlEntities: true, // without it, characters by number stay as they are written
});

/** An element of a document: its texts and elements by name, each in the order of the document. */
export interface XmlReader {
  text(name: string): string | undefined; // of the first of that name
  elements(name: string): readonly XmlReader[];
}

/** The root element, which must have the name. Throws S3Error MalformedXML. */
export function parseXml(bytes: Uint8Array, rootName: string): XmlReader {
  const text = decodeUtf8(bytes);
  // A document type could define entities that unfold without end.
  if (/<!DOCTYPE/i.test(text) || XMLValidator.validate(text) !== true) throw malformed();
  const document: unknown = parser.parse(text);
  const [root] = readerOf(document).elements(rootName);
  if (root === undefined) throw malformed();
  return root;
}

function readerOf(node: unknown): XmlReader {
  const valuesOf = (name: string): readonly unknown[] => {
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, name)) return [];
    const values: unknown = Reflect.get(node, name);
    return Array.isArray(values) ? values : [values];
  };
  return {
    text: (name) => {
      const [first] = valuesOf(name);
      return typeof first === "string" ? first : undefined;
    },
    elements: (name) => valuesOf(name).map(readerOf),
  };
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed();
  }
}

function malformed(): S3Error {
  return new S3Error("MalformedXML", "The XML is not well-formed, or not of the form that this request has.");
}
