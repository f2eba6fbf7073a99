/** Request of remote write 2.0: texts once, and series that refer to them. Fields: docs/format/remote-write.md. */
import { fail, metricNameLabel, type Labels, type Result } from "@pleiad/model";
import { labelsOfTexts } from "./label-ranges.ts";
import { decodeUtf8, ProtobufReader } from "./protobuf-reader.ts";
import {
  metricTypeOf,
  SampleColumns,
  type ExemplarMessage,
  type MetadataMessage,
  type WriteRequestFailure,
  type WriteRequestLimits,
  type WriteRequestReader,
} from "./written-samples.ts";

export function createWriteRequestV2Reader(limits: WriteRequestLimits): WriteRequestReader {
  return new RequestReader(limits);
}

/** Metadata of a series, its texts as references. */
interface MetadataRefs {
  readonly type: number;
  readonly helpRef: number;
  readonly unitRef: number;
}

class RequestReader implements WriteRequestReader {
  readonly metadata = new Map<string, MetadataMessage>();
  readonly samples = new SampleColumns();
  // The same labels have other numbers in the next request.
  readonly keyFrom = 0;
  readonly keyTo = 0;
  readonly #limits: WriteRequestLimits;
  readonly #reader = new ProtobufReader();
  #request: Uint8Array = new Uint8Array(0);
  #seriesCount = 0;
  /** Where the texts lie: from, to, from, to …; and those that were asked for before. */
  #symbolRanges: number[] = [];
  #symbols: string[] = [];
  #labelRefs: number[] = [];
  #overLimit: WriteRequestFailure | undefined;

  constructor(limits: WriteRequestLimits) {
    this.#limits = limits;
  }

  get failure(): WriteRequestFailure | undefined {
    return this.#overLimit ?? this.#reader.failure;
  }

  reset(request: Uint8Array): void {
    this.#request = request;
    this.samples.left = this.#limits.samplesMax;
    this.#seriesCount = 0;
    this.#overLimit = undefined;
    this.metadata.clear();
    this.#symbols = [];
    this.#findSymbols();
  }

  nextSeries(): boolean {
    const reader = this.#reader;
    while (this.#overLimit === undefined && reader.nextField()) {
      if (reader.field === 5) {
        this.#readSeries();
        return this.failure === undefined;
      }
      reader.skip();
    }
    return false;
  }

  labels(): Result<Labels, string> {
    const { labelsPerSeriesMax } = this.#limits;
    if (this.#labelRefs.length / 2 > labelsPerSeriesMax) return fail(`more than ${labelsPerSeriesMax} labels`);
    return labelsOfTexts(this.#labelRefs.map((ref) => this.#symbolOf(ref)));
  }

  /** A series may stand before a text that it refers to: fields come in any order. */
  #findSymbols(): void {
    const reader = this.#reader;
    const ranges: number[] = [];
    reader.reset(this.#request);
    while (reader.nextField()) {
      if (reader.field !== 4) {
        reader.skip();
        continue;
      }
      const length = reader.passBytes();
      if (ranges.length / 2 >= this.#limits.symbolsMax) {
        this.#overLimit = { kind: "limit", of: "symbols", max: this.#limits.symbolsMax };
        return;
      }
      ranges.push(reader.offset - length, reader.offset);
    }
    this.#symbolRanges = ranges;
    if (reader.failure !== undefined) return;
    if (ranges.length > 0 && ranges[0] !== ranges[1]) reader.fail("symbol 0 is not empty");
    else reader.reset(this.#request);
  }

  #readSeries(): void {
    const reader = this.#reader;
    const { samples } = this;
    this.#labelRefs = [];
    samples.clear();
    let metadata: MetadataRefs | undefined;
    let startTimestampMs = 0;
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      switch (reader.field) {
        case 1:
          reader.int32s(this.#labelRefs);
          break;
        case 2:
          samples.readSample(reader);
          break;
        case 3:
          samples.readHistogram(reader);
          break;
        case 4:
          samples.addExemplar(this.#readExemplar());
          break;
        case 5:
          metadata = readMetadata(reader);
          break;
        case 6:
          startTimestampMs = reader.int64();
          break;
        default:
          reader.skip();
      }
      if (samples.left < 0) {
        this.#overLimit = { kind: "limit", of: "samples", max: this.#limits.samplesMax };
        return;
      }
    }
    samples.setStart(startTimestampMs);
    this.#checkLabels();
    if (samples.sampleCount > 0 && samples.histograms.length > 0) reader.fail("a series of samples and histograms");
    if (metadata !== undefined && reader.failure === undefined) this.#addMetadata(metadata);
    if (++this.#seriesCount > this.#limits.seriesMax) {
      this.#overLimit = { kind: "limit", of: "series", max: this.#limits.seriesMax };
    }
  }

  #checkLabels(): void {
    if (this.#labelRefs.length % 2 !== 0) this.#reader.fail("an odd number of references to labels");
    else for (const ref of this.#labelRefs) this.#symbolOf(ref);
  }

  #addMetadata({ type, helpRef, unitRef }: MetadataRefs): void {
    const refs = this.#labelRefs;
    for (let i = 0; i < refs.length; i += 2) {
      if (this.#symbolOf(refs[i] ?? 0) !== metricNameLabel) continue;
      const name = this.#symbolOf(refs[i + 1] ?? 0);
      if (this.metadata.has(name)) return;
      const [help, unit] = [this.#symbolOf(helpRef), this.#symbolOf(unitRef)];
      this.metadata.set(name, { type: metricTypeOf(type), help, unit });
    }
  }

  #readExemplar(): ExemplarMessage {
    const reader = this.#reader;
    const refs: number[] = [];
    let [value, timestampMs] = [0, 0];
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      if (reader.field === 1) reader.int32s(refs);
      else if (reader.field === 2) value = reader.double();
      else if (reader.field === 3) timestampMs = reader.int64();
      else reader.skip();
    }
    if (refs.length % 2 !== 0) reader.fail("an odd number of references to labels");
    const labels = labelsOfTexts(refs.map((ref) => this.#symbolOf(ref)));
    return { labels: labels.ok ? labels.value : undefined, value, timestampMs };
  }

  /** A text by its number. That there is none, or that it is no text, makes the request fail. */
  #symbolOf(ref: number): string {
    const known = this.#symbols[ref];
    if (known !== undefined) return known;
    const [from, to] = [this.#symbolRanges[2 * ref], this.#symbolRanges[2 * ref + 1]];
    const text = from === undefined || to === undefined ? undefined : decodeUtf8(this.#request, from, to);
    if (text === undefined) {
      this.#reader.fail(from === undefined ? `symbol ${ref} is not there` : `symbol ${ref} is not UTF-8`);
      return "";
    }
    this.#symbols[ref] = text;
    return text;
  }
}

function readMetadata(reader: ProtobufReader): MetadataRefs {
  let [type, helpRef, unitRef] = [0, 0, 0];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) type = reader.int32();
    else if (reader.field === 3) helpRef = reader.int32();
    else if (reader.field === 4) unitRef = reader.int32();
    else reader.skip();
  }
  return { type, helpRef, unitRef };
}
