/** WriteRequest of remote write 1.0: each series with its labels in full. Fields: docs/format/remote-write.md. */
import { fail, labelsFromPairs, type Labels, type Result } from "@pleiad/model";
import { readLabel } from "./label-messages.ts";
import { LabelRanges } from "./label-ranges.ts";
import type { LabelTable } from "./label-table.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import {
  metricTypeOf,
  SampleColumns,
  type MetadataMessage,
  type WriteRequestFailure,
  type WriteRequestLimits,
  type WriteRequestReader,
} from "./written-samples.ts";

/** `labelTable` may be shared by all readers of a process: equal labels are then one string. */
export function createWriteRequestReader(limits: WriteRequestLimits, labelTable: LabelTable): WriteRequestReader {
  return new RequestReader(limits, labelTable);
}

class RequestReader implements WriteRequestReader {
  readonly metadata = new Map<string, MetadataMessage>();
  readonly samples = new SampleColumns();
  keyFrom = 0;
  keyTo = 0;
  readonly #limits: WriteRequestLimits;
  readonly #reader = new ProtobufReader();
  #request: Uint8Array = new Uint8Array(0);
  #seriesCount = 0;
  readonly #labelRanges: LabelRanges;
  #overLimit: WriteRequestFailure | undefined;

  constructor(limits: WriteRequestLimits, labelTable: LabelTable) {
    this.#limits = limits;
    this.#labelRanges = new LabelRanges(labelTable);
  }

  get failure(): WriteRequestFailure | undefined {
    return this.#overLimit ?? this.#reader.failure;
  }

  reset(request: Uint8Array): void {
    this.#request = request;
    this.#reader.reset(request);
    this.samples.left = this.#limits.samplesMax;
    this.#seriesCount = 0;
    this.#overLimit = undefined;
    this.metadata.clear();
  }

  nextSeries(): boolean {
    const reader = this.#reader;
    while (this.#overLimit === undefined && reader.nextField()) {
      if (reader.field === 1) {
        this.#readSeries();
        return this.failure === undefined;
      }
      if (reader.field === 3) this.#readMetadata();
      else reader.skip();
    }
    return false;
  }

  labels(): Result<Labels, string> {
    const { labelsPerSeriesMax } = this.#limits;
    if (this.#labelRanges.count > labelsPerSeriesMax) return fail(`more than ${labelsPerSeriesMax} labels`);
    return this.#labelRanges.labels(this.#request);
  }

  #readSeries(): void {
    const reader = this.#reader;
    const { samples } = this;
    const ranges = this.#labelRanges;
    samples.clear();
    ranges.clear();
    this.keyFrom = this.keyTo = 0;
    let isContiguous = true;
    for (const outer = reader.enter(); ;) {
      const before = reader.offset;
      if (!reader.nextField()) {
        reader.leave(outer);
        break;
      }
      switch (reader.field) {
        case 1: {
          const length = reader.passBytes();
          if (ranges.count === 0) this.keyFrom = before;
          else if (before !== this.keyTo) isContiguous = false;
          this.keyTo = reader.offset;
          if (ranges.count <= this.#limits.labelsPerSeriesMax) ranges.add(reader.offset - length, reader.offset);
          break;
        }
        case 2:
          samples.readSample(reader);
          break;
        case 3:
          samples.addExemplar(readExemplar(reader));
          break;
        case 4:
          samples.readHistogram(reader);
          break;
        default:
          reader.skip();
      }
      if (samples.left < 0) {
        this.#overLimit = { kind: "limit", of: "samples", max: this.#limits.samplesMax };
        return;
      }
    }
    if (!isContiguous) this.keyFrom = this.keyTo = 0;
    if (++this.#seriesCount > this.#limits.seriesMax) {
      this.#overLimit = { kind: "limit", of: "series", max: this.#limits.seriesMax };
    }
  }

  #readMetadata(): void {
    const reader = this.#reader;
    let [type, family, help, unit] = [0, "", "", ""];
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      if (reader.field === 1) type = reader.int32();
      else if (reader.field === 2) family = reader.text();
      else if (reader.field === 4) help = reader.text();
      else if (reader.field === 5) unit = reader.text();
      else reader.skip();
    }
    if (!this.samples.take(1)) this.#overLimit = { kind: "limit", of: "samples", max: this.#limits.samplesMax };
    else if (family !== "") this.metadata.set(family, { type: metricTypeOf(type), help, unit });
  }
}

function readExemplar(reader: ProtobufReader) {
  const pairs: (readonly [string, string])[] = [];
  let [value, timestampMs] = [0, 0];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) pairs.push(readLabel(reader));
    else if (reader.field === 2) value = reader.double();
    else if (reader.field === 3) timestampMs = reader.int64();
    else reader.skip();
  }
  return { labels: labelsFromPairs(pairs), value, timestampMs };
}
