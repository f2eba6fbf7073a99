/** Messages of `thanos.Targets`. Field numbers: docs/format/monitoring-api.md. */
import {
  emptyLabels,
  fail,
  ok,
  targetHealths,
  zeroInstant,
  type ActiveTarget,
  type DroppedTarget,
  type Instant,
  type Result,
  type TargetHealth,
  type TargetsRequest,
} from "@pleiad/model";
import { readLabelSet, writeLabelSet } from "./label-messages.ts";
import { partialResponseNumber, readPartialResponse, type PartialResponse } from "./partial-response.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { decodeAnswerFrame, encodeAnswerPart, type AnswerFrame } from "./streamed-answer.ts";
import { readTimestamp, writeTimestamp } from "./timestamp-message.ts";
import type { WireFailure } from "./wire-failure.ts";

export interface TargetsRequestMessage extends Pick<TargetsRequest, "state"> {
  readonly partialResponse: PartialResponse;
}

/** TargetDiscovery: an answer may come in several. */
export interface TargetsMessage {
  readonly active: readonly ActiveTarget[];
  readonly dropped: readonly DroppedTarget[];
}

const targetStates = ["any", "active", "dropped"] as const; // by number in the enumeration

export function encodeTargetsRequest({ state, partialResponse }: TargetsRequestMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writer.int64(1, targetStates.indexOf(state));
  writer.int64(2, partialResponseNumber[partialResponse]);
  return writer.view();
}

export function decodeTargetsRequest(bytes: Uint8Array): Result<TargetsRequestMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let state: TargetsRequestMessage["state"] = "any";
  let partialResponse: PartialResponse = "warn";
  while (reader.nextField()) {
    if (reader.field === 1) {
      const number = reader.int32();
      const known = targetStates[number];
      if (known === undefined) reader.fail(`state of targets ${number}`);
      else state = known;
    } else if (reader.field === 2) partialResponse = readPartialResponse(reader);
    else reader.skip();
  }
  return reader.failure === undefined ? ok({ state, partialResponse }) : fail(reader.failure);
}

/** A TargetsResponse with these targets. */
export function encodeTargets({ active, dropped }: TargetsMessage): Uint8Array {
  return encodeAnswerPart((writer) => {
    for (const target of active) writeActive(writer, target);
    for (const { discoveredLabels } of dropped) {
      const mark = writer.open(2, 2);
      writeLabelSet(writer, 1, discoveredLabels);
      writer.close(mark);
    }
  });
}

export function decodeTargetsResponse(bytes: Uint8Array): Result<AnswerFrame<TargetsMessage>, WireFailure> {
  return decodeAnswerFrame(bytes, (reader) => {
    const active: ActiveTarget[] = [];
    const dropped: DroppedTarget[] = [];
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      if (reader.field === 1) active.push(readActive(reader));
      else if (reader.field === 2) dropped.push(readDropped(reader));
      else reader.skip();
    }
    return { active, dropped };
  });
}

function writeActive(writer: ProtobufWriter, target: ActiveTarget): void {
  const mark = writer.open(1, 2);
  writeLabelSet(writer, 1, target.discoveredLabels);
  writeLabelSet(writer, 2, target.labels);
  writer.text(3, target.scrapePool);
  writer.text(4, target.scrapeUrl);
  writer.text(5, target.globalUrl);
  writer.text(6, target.lastError);
  writeTimestamp(writer, 7, target.lastScrape);
  writer.double(8, target.lastScrapeSeconds);
  writer.int64(9, targetHealths.indexOf(target.health));
  writer.close(mark);
}

function readActive(reader: ProtobufReader): ActiveTarget {
  let discoveredLabels = emptyLabels;
  let labels = emptyLabels;
  let [scrapePool, scrapeUrl, globalUrl, lastError] = ["", "", "", ""];
  let lastScrape: Instant = zeroInstant;
  let lastScrapeSeconds = 0;
  let health: TargetHealth = "down";
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        discoveredLabels = readLabelSet(reader);
        break;
      case 2:
        labels = readLabelSet(reader);
        break;
      case 3:
        scrapePool = reader.text();
        break;
      case 4:
        scrapeUrl = reader.text();
        break;
      case 5:
        globalUrl = reader.text();
        break;
      case 6:
        lastError = reader.text();
        break;
      case 7:
        lastScrape = readTimestamp(reader);
        break;
      case 8:
        lastScrapeSeconds = reader.double();
        break;
      case 9:
        health = targetHealths[reader.int32()] ?? "unknown";
        break;
      default:
        reader.skip();
    }
  }
  const texts = { scrapePool, scrapeUrl, globalUrl, lastError };

  return { discoveredLabels, labels, ...texts, lastScrape, lastScrapeSeconds, health };
}

function readDropped(reader: ProtobufReader): DroppedTarget {
  let discoveredLabels = emptyLabels;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) discoveredLabels = readLabelSet(reader);
    else reader.skip();
  }
  return { discoveredLabels };
}
