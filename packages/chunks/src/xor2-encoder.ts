/** Writing XOR2 chunks, byte for byte as Prometheus does. Byte layout: docs/format/xor2-chunk.md. */
import { staleHigh, staleLow } from "@pleiad/model";
import { BitWriter } from "./bit-writer.ts";
import type { SampleColumns } from "./sample-columns.ts";
import { StartTimestampWriter } from "./start-timestamps.ts";
import { chunkSamplesMax } from "./xor-appender.ts";
import { timestampMsMax } from "./xor-decoder.ts";
import { xor2HeaderBytes } from "./xor2-decoder.ts";
import { XorFields } from "./xor-fields.ts";

/**
 * Samples [from, to) as one XOR2 chunk, with their start timestamps where the columns have them; at most
 * `chunkSamplesMax`, times ascending. Values keep their bits.
 */
export function encodeXor2(samples: SampleColumns, from: number, to: number): Uint8Array {
  if (to - from > chunkSamplesMax) throw new RangeError(`a chunk holds at most ${chunkSamplesMax} samples`);
  const { timestampsMs, valueWords, startTimestampsMs } = samples;
  const writer = new BitWriter();
  const starts = new StartTimestampWriter();
  const value = new XorFields(1);
  let deltaMs = 0;
  for (let i = from; i < to; i++) {
    const timestampMs = timestampsMs[i];
    const high = valueWords[2 * i + 1];
    const low = valueWords[2 * i];
    const isStaleSample = high === staleHigh && low === staleLow;
    if (Math.floor(timestampMs) !== timestampMs || Math.abs(timestampMs) > timestampMsMax) {
      throw new RangeError(`a sample's time must be whole milliseconds within ±${timestampMsMax}: ${timestampMs}`);
    }
    const beforeMs = i === from ? 0 : timestampsMs[i - 1];
    if (i === from) {
      writer.writeVarint(timestampMs);
      writer.write(high, 32);
      writer.write(low, 32);
      if (!isStaleSample) {
        value.words[1] = high;
        value.words[0] = low;
      }
    } else {
      const lastDeltaMs = deltaMs;
      deltaMs = timestampMs - beforeMs;
      if (deltaMs <= 0) throw new RangeError(`samples must ascend in time: ${timestampMs} after ${beforeMs}`);
      if (i === from + 1) {
        writer.writeUvarint(deltaMs);
        writeValue(writer, value, high, low, isStaleSample);
      } else if (deltaMs === lastDeltaMs) {
        writeValueAlone(writer, value, high, low, isStaleSample);
      } else {
        writeChange(writer, deltaMs - lastDeltaMs);
        writeValue(writer, value, high, low, isStaleSample);
      }
    }
    starts.write(writer, i - from, timestampMs, beforeMs, startTimestampsMs?.[i] ?? 0);
  }
  const bits = writer.bytes();
  const data = new Uint8Array(xor2HeaderBytes + bits.length);
  data[0] = (to - from) >>> 8;
  data[1] = to - from;
  data[2] = starts.header;
  data.set(bits, xor2HeaderBytes);
  return data;
}

/** How much this time delta differs from the last one. It does. */
function writeChange(writer: BitWriter, changeMs: number): void {
  if (changeMs >= -0x1000 && changeMs < 0x1000) writer.write((0b110 << 13) | (changeMs & 0x1fff), 16);
  else if (changeMs >= -0x80000 && changeMs < 0x80000) writer.write((0b1110 << 20) | (changeMs & 0xfffff), 24);
  else {
    const high = Math.floor(changeMs / 0x100000000);
    writer.write(0b11110, 5);
    writer.write(high, 32);
    writer.write(changeMs - high * 0x100000000, 32);
  }
}

/** A value whose time has a code of its own. */
function writeValue(writer: BitWriter, value: XorFields, high: number, low: number, isStaleSample: boolean): void {
  if (isStaleSample) writer.write(0b111, 3);
  else if (high === value.words[1] && low === value.words[0]) writer.write(0, 1);
  else {
    if (value.fitsWindow(0, high, low)) writer.write(0b10, 2);
    else writer.write(0b110, 3);
    value.writeBits(writer, 0, high, low);
  }
}

/** A value whose code says as well that the time delta is the last one. */
function writeValueAlone(writer: BitWriter, value: XorFields, high: number, low: number, isStaleSample: boolean): void {
  if (isStaleSample) writer.write(0b11111, 5);
  else if (high === value.words[1] && low === value.words[0]) writer.write(0, 1);
  else {
    writer.write(value.fitsWindow(0, high, low) ? 0b100 : 0b101, 3);
    value.writeBits(writer, 0, high, low);
  }
}
