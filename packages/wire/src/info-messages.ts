/** InfoRequest and InfoResponse of `thanos.info.Info/Info`. Field numbers: docs/format/store-api.md. */
import { emptyLabels, fail, ok, type Labels, type Result } from "@pleiad/model";
import { readLabelSet, writeLabelSet } from "./label-messages.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { WireFailure } from "./wire-failure.ts";

export interface TsdbInfoMessage {
  readonly labels: Labels;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

export interface StoreInfoMessage {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly supportsSharding: boolean;
  readonly supportsWithoutReplicaLabels: boolean;
  readonly tsdbInfos: readonly TsdbInfoMessage[];
}

/** What else a component serves; being there is the announcement. */
export interface Capabilities {
  readonly rules: boolean;
  readonly metricMetadata: boolean;
  readonly targets: boolean;
  readonly exemplars: { readonly minTimeMs: number; readonly maxTimeMs: number } | undefined;
  /** The Query API: none, as Thanos has it, or with `ExactQueryMessage` besides. */
  readonly query: "none" | "whole-seconds" | "exact";
  readonly status: boolean;
}

export interface InfoResponseMessage {
  readonly labelSets: readonly Labels[]; // external labels
  readonly componentType: string; // `sidecar`, `query`, `rule`, `store`, `receive`, `debug`, or a word unknown to us
  readonly store: StoreInfoMessage | undefined; // undefined = serves no StoreAPI, or is not ready to
  readonly capabilities: Capabilities;
}

export const noCapabilities: Capabilities = {
  rules: false,
  metricMetadata: false,
  targets: false,
  exemplars: undefined,
  query: "none",
  status: false,
};

export function encodeInfoRequest(): Uint8Array {
  return new Uint8Array(0);
}

/** The request has no field: any message of unknown ones is one. */
export function decodeInfoRequest(bytes: Uint8Array): Result<undefined, WireFailure> {
  const reader = new ProtobufReader(bytes);
  while (reader.nextField()) reader.skip();
  return reader.failure === undefined ? ok(undefined) : fail(reader.failure);
}

export function encodeInfoResponse(info: InfoResponseMessage): Uint8Array {
  const writer = new ProtobufWriter();
  for (const labels of info.labelSets) writeLabelSet(writer, 1, labels);
  writer.text(2, info.componentType);
  if (info.store !== undefined) {
    const mark = writer.open(3);
    writer.int64(1, info.store.minTimeMs);
    writer.int64(2, info.store.maxTimeMs);
    writer.bool(3, info.store.supportsSharding);
    writer.bool(5, info.store.supportsWithoutReplicaLabels);
    for (const { labels, minTimeMs, maxTimeMs } of info.store.tsdbInfos) {
      const inner = writer.open(6);
      writeLabelSet(writer, 1, labels);
      writer.int64(2, minTimeMs);
      writer.int64(3, maxTimeMs);
      writer.close(inner);
    }
    writer.close(mark);
  }
  const { rules, metricMetadata, targets, exemplars, query, status } = info.capabilities;
  const present = (field: number) => writer.close(writer.open(field));
  if (rules) present(4);
  if (metricMetadata) present(5);
  if (targets) present(6);
  if (exemplars !== undefined) {
    const mark = writer.open(7);
    writer.int64(1, exemplars.minTimeMs);
    writer.int64(2, exemplars.maxTimeMs);
    writer.close(mark);
  }
  if (query !== "none") {
    const mark = writer.open(8);
    writer.bool(exactQueryField, query === "exact");
    writer.close(mark);
  }
  if (status) present(9);
  return writer.view();
}

export function decodeInfoResponse(bytes: Uint8Array): Result<InfoResponseMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  const labelSets: Labels[] = [];
  let componentType = "";
  let store: StoreInfoMessage | undefined;
  let { rules, metricMetadata, targets, exemplars, query, status } = noCapabilities;
  const present = () => {
    reader.passBytes();
    return true;
  };
  while (reader.nextField()) {
    switch (reader.field) {
      case 1:
        labelSets.push(readLabelSet(reader));
        break;
      case 2:
        componentType = reader.text();
        break;
      case 3:
        store = readStoreInfo(reader);
        break;
      case 4:
        rules = present();
        break;
      case 5:
        metricMetadata = present();
        break;
      case 6:
        targets = present();
        break;
      case 7:
        exemplars = readTimeRange(reader);
        break;
      case 8:
        query = readQueryInfo(reader);
        break;
      case 9:
        status = present();
        break;
      default:
        reader.skip();
    }
  }
  if (reader.failure !== undefined) return fail(reader.failure);
  const capabilities = { rules, metricMetadata, targets, exemplars, query, status };
  return ok({ labelSets, componentType, store, capabilities });
}

/** Within what Thanos knows as an empty message. */
const exactQueryField = 1000;

function readQueryInfo(reader: ProtobufReader): Capabilities["query"] {
  let query: Capabilities["query"] = "whole-seconds";
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field !== exactQueryField) reader.skip();
    else if (reader.bool()) query = "exact";
  }
  return query;
}

function readStoreInfo(reader: ProtobufReader): StoreInfoMessage {
  let minTimeMs = 0;
  let maxTimeMs = 0;
  let supportsSharding = false;
  let supportsWithoutReplicaLabels = false;
  const tsdbInfos: TsdbInfoMessage[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        minTimeMs = reader.int64();
        break;
      case 2:
        maxTimeMs = reader.int64();
        break;
      case 3:
        supportsSharding = reader.bool();
        break;
      case 5:
        supportsWithoutReplicaLabels = reader.bool();
        break;
      case 6:
        tsdbInfos.push(readTsdbInfo(reader));
        break;
      default:
        reader.skip();
    }
  }
  return { minTimeMs, maxTimeMs, supportsSharding, supportsWithoutReplicaLabels, tsdbInfos };
}

function readTsdbInfo(reader: ProtobufReader): TsdbInfoMessage {
  let labels = emptyLabels;
  let minTimeMs = 0;
  let maxTimeMs = 0;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) labels = readLabelSet(reader);
    else if (reader.field === 2) minTimeMs = reader.int64();
    else if (reader.field === 3) maxTimeMs = reader.int64();
    else reader.skip();
  }
  return { labels, minTimeMs, maxTimeMs };
}

function readTimeRange(reader: ProtobufReader): { readonly minTimeMs: number; readonly maxTimeMs: number } {
  let minTimeMs = 0;
  let maxTimeMs = 0;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) minTimeMs = reader.int64();
    else if (reader.field === 2) maxTimeMs = reader.int64();
    else reader.skip();
  }
  return { minTimeMs, maxTimeMs };
}
