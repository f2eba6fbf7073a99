/** The buckets that all histograms of a chunk have: written once, at its start. Byte layout: docs/format/histogram-chunk.md. */
import { customBoundsSchema, type BucketSpan, type FloatHistogram } from "@pleiad/model";
import type { BitReader } from "./bit-reader.ts";
import type { BitWriter } from "./bit-writer.ts";

export type HistogramLayout = Pick<
  FloatHistogram,
  "schema" | "zeroThreshold" | "positiveSpans" | "negativeSpans" | "customBounds"
>;

const exponentialSchemaMin = -4;
const exponentialSchemaMax = 8;

/** Powers of two from 2^-242 to 2^11, halved, take one byte: 1 to 254. */
const thresholdExponentBias = 243;
const wholeThreshold = 255;

/** Custom bounds of whole thousandths up to this many take a varbit number. */
const boundThousandthsMax = 33_554_430;

const offsetMax = 2 ** 31;
const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

/** A layout without buckets: that of a chunk that starts with a staleness marker. */
export const emptyLayout: HistogramLayout = {
  schema: 0,
  zeroThreshold: 0,
  positiveSpans: [],
  negativeSpans: [],
  customBounds: new Float64Array(0),
};

export function isKnownSchema(schema: number): boolean {
  return schema === customBoundsSchema || (schema >= exponentialSchemaMin && schema <= exponentialSchemaMax);
}

/** The number of buckets that spans cover. */
export function bucketCount(spans: readonly BucketSpan[]): number {
  let count = 0;
  for (const { length } of spans) count += length;
  return count;
}

export function writeLayout(writer: BitWriter, layout: HistogramLayout): void {
  writeZeroThreshold(writer, layout.zeroThreshold);
  writer.writeVarbitInt(layout.schema);
  for (const spans of [layout.positiveSpans, layout.negativeSpans]) {
    writer.writeVarbitUint(spans.length);
    for (const { length, offset } of spans) {
      writer.writeVarbitUint(length);
      writer.writeVarbitInt(offset);
    }
  }
  if (layout.schema !== customBoundsSchema) return;
  writer.writeVarbitUint(layout.customBounds.length);
  for (const bound of layout.customBounds) writeCustomBound(writer, bound);
}

/** The layout; what is wrong with it; undefined where it has more spans, bounds or buckets than the chunk has bits. */
export function readLayout(reader: BitReader): HistogramLayout | string | undefined {
  const zeroThreshold = readZeroThreshold(reader);
  const schema = reader.readVarbitInt();
  if (!isKnownSchema(schema)) return `there is no histogram schema ${schema}`;
  const positiveSpans = readSpans(reader);
  if (positiveSpans === undefined || typeof positiveSpans === "string") return positiveSpans;
  const negativeSpans = readSpans(reader);
  if (negativeSpans === undefined || typeof negativeSpans === "string") return negativeSpans;
  if (bucketCount(positiveSpans) + bucketCount(negativeSpans) > reader.bitsLeft) return undefined;
  if (schema !== customBoundsSchema) {
    return { schema, zeroThreshold, positiveSpans, negativeSpans, customBounds: emptyLayout.customBounds };
  }
  const boundCount = reader.readVarbitUint();
  if (boundCount > reader.bitsLeft) return undefined;
  const customBounds = new Float64Array(boundCount);
  for (let i = 0; i < boundCount; i++) customBounds[i] = readCustomBound(reader);
  return { schema, zeroThreshold, positiveSpans, negativeSpans, customBounds };
}

function readSpans(reader: BitReader): readonly BucketSpan[] | string | undefined {
  const spanCount = reader.readVarbitUint();
  // Length and offset take a bit each at the least.
  if (2 * spanCount > reader.bitsLeft) return undefined;
  const spans: BucketSpan[] = [];
  for (let i = 0; i < spanCount; i++) {
    const length = reader.readVarbitUint();
    const offset = reader.readVarbitInt();
    if (length > reader.bitsLeft) return undefined;
    if (Math.abs(offset) > offsetMax || (i > 0 && offset < 0)) return `span ${i} has the offset ${offset}`;
    spans.push({ offset, length });
  }
  return spans;
}

function writeZeroThreshold(writer: BitWriter, threshold: number): void {
  if (threshold === 0) return writer.write(0, 8);
  scratchValue[0] = threshold;
  const high = scratchWords[1];
  // The exponent of a fraction from one half on; a positive power of two has neither sign nor any bit of its fraction.
  const exponent = (high >>> 20) - 1022;
  const isPowerOfTwo = (high & 0xfffff) === 0 && scratchWords[0] === 0 && high >>> 31 === 0;
  if (isPowerOfTwo && exponent + thresholdExponentBias >= 1 && exponent + thresholdExponentBias < wholeThreshold) {
    return writer.write(exponent + thresholdExponentBias, 8);
  }
  writer.write(wholeThreshold, 8);
  writer.write(high, 32);
  writer.write(scratchWords[0], 32);
}

function readZeroThreshold(reader: BitReader): number {
  const code = reader.read(8);
  if (code === 0) return 0;
  return code === wholeThreshold ? readDouble(reader) : 2 ** (code - thresholdExponentBias - 1);
}

function writeCustomBound(writer: BitWriter, bound: number): void {
  const thousandths = Math.round(bound * 1000);
  if (bound * 1000 >= 0 && bound * 1000 <= boundThousandthsMax && thousandths / 1000 === bound) {
    writer.writeVarbitUint(thousandths + 1);
    return;
  }
  scratchValue[0] = bound;
  writer.write(0, 1);
  writer.write(scratchWords[1], 32);
  writer.write(scratchWords[0], 32);
}

function readCustomBound(reader: BitReader): number {
  const thousandths = reader.readVarbitUint();
  return thousandths === 0 ? readDouble(reader) : (thousandths - 1) / 1000;
}

function readDouble(reader: BitReader): number {
  scratchWords[1] = reader.read(32);
  scratchWords[0] = reader.read(32);
  return scratchValue[0];
}
