import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { labelsToRecord } from "@pleiad/model";
import { memorySource } from "./testing.ts";

runSeriesSourceAcceptance("the source of the tests", async (series) => ({
  source: memorySource(series.map(({ labels, samples }) => ({ labels: labelsToRecord(labels), samples }))),
  decode: (_encoding, data) => {
    let zigzag = 0n;
    let at = 2;
    for (let shift = 0n; ; shift += 7n) {
      const byte = data[at++] ?? 0;
      zigzag |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const timestampMs = Number(zigzag % 2n === 0n ? zigzag / 2n : -(zigzag + 1n) / 2n);
    return [[timestampMs, new DataView(data.buffer, data.byteOffset).getFloat64(at)]];
  },
}));
