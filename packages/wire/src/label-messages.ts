/** Label, LabelSet and LabelMatcher: the parts that most messages share. */
import { labelsFromPairs, type Labels, type Matcher, type MatcherType } from "@pleiad/model";
import type { ProtobufReader } from "./protobuf-reader.ts";
import type { ProtobufWriter } from "./protobuf-writer.ts";

const matcherTypes: readonly MatcherType[] = ["=", "!=", "=~", "!~"]; // EQ NEQ RE NRE, in the order of the enumeration

/** Writes repeated Label messages in field `field`. */
export function writeLabels(writer: ProtobufWriter, field: number, labels: Labels): void {
  for (let i = 0; i < labels.length; i += 2) {
    const mark = writer.open(field);
    writer.text(1, labels[i] as string);
    writer.text(2, labels[i + 1] as string);
    writer.close(mark);
  }
}

/** Writes a LabelSet message in field `field`, the empty set included. */
export function writeLabelSet(writer: ProtobufWriter, field: number, labels: Labels): void {
  const mark = writer.open(field);
  writeLabels(writer, 1, labels);
  writer.close(mark);
}

/** Reads a LabelSet in any order; a label without value is as good as absent. */
export function readLabelSet(reader: ProtobufReader): Labels {
  const pairs: (readonly [string, string])[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) pairs.push(readLabel(reader));
    else reader.skip();
  }
  return labelsFromPairs(pairs);
}

/** Reads one Label message. */
export function readLabel(reader: ProtobufReader): readonly [name: string, value: string] {
  let name = "";
  let value = "";
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) name = reader.text();
    else if (reader.field === 2) value = reader.text();
    else reader.skip();
  }
  return [name, value];
}

export function writeMatchers(writer: ProtobufWriter, field: number, matchers: readonly Matcher[]): void {
  for (const { type, name, value } of matchers) {
    const mark = writer.open(field);
    writer.int64(1, matcherTypes.indexOf(type));
    writer.text(2, name);
    writer.text(3, value);
    writer.close(mark);
  }
}

/** Reads one LabelMatcher. A type from the future fails: leaving a condition out would answer another question. */
export function readMatcher(reader: ProtobufReader): Matcher {
  let type: MatcherType = "=";
  let name = "";
  let value = "";
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1: {
        const number = reader.int32();
        const known = matcherTypes[number];
        if (known === undefined) reader.fail(`matcher type ${number}`);
        else type = known;
        break;
      }
      case 2:
        name = reader.text();
        break;
      case 3:
        value = reader.text();
        break;
      default:
        reader.skip();
    }
  }
  return { type, name, value };
}

export function writeTexts(writer: ProtobufWriter, field: number, texts: readonly string[]): void {
  for (const text of texts) writer.textItem(field, text);
}
