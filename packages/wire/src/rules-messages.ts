/** Messages of `thanos.Rules`. Field numbers: docs/format/monitoring-api.md. */
import {
  emptyLabels,
  fail,
  ok,
  unreachable,
  zeroInstant,
  type AlertInstance,
  type AlertState,
  type Instant,
  type Result,
  type Rule,
  type RuleFilter,
  type RuleGroup,
} from "@pleiad/model";
import { readLabelSet, writeLabelSet, writeTexts } from "./label-messages.ts";
import { partialResponseNumber, readPartialResponse, type PartialResponse } from "./partial-response.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { decodeAnswerFrame, encodeAnswerPart, type AnswerFrame } from "./streamed-answer.ts";
import { readTimestamp, writeTimestamp } from "./timestamp-message.ts";
import type { WireFailure } from "./wire-failure.ts";

export interface RulesRequestMessage extends Pick<RuleFilter, "type" | "ruleNames" | "groupNames" | "files"> {
  readonly partialResponse: PartialResponse;
  readonly matchers: readonly string[]; // selectors, as text
}

/** How a peer counts the states of alerts. Thanos put `unknown` before all others in 0.41. */
export type AlertStateNumbers = "since-0.41" | "before-0.41";

const stateTables = {
  "since-0.41": ["unknown", "inactive", "pending", "firing"],
  "before-0.41": ["inactive", "pending", "firing"],
} satisfies Record<AlertStateNumbers, readonly AlertState[]>;

const ruleTypes = ["all", "alert", "record"] as const; // by number in the enumeration

/** Far beyond any number that Thanos has given out; it passes over it. */
const keepFiringSinceField = 1000;

export function encodeRulesRequest(request: RulesRequestMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writer.int64(1, ruleTypes.indexOf(request.type));
  writer.int64(2, partialResponseNumber[request.partialResponse]);
  writeTexts(writer, 3, request.matchers);
  writeTexts(writer, 4, request.ruleNames);
  writeTexts(writer, 5, request.groupNames);
  writeTexts(writer, 6, request.files);
  return writer.view();
}

/** A type from the future fails: to answer with all rules would be another answer. */
export function decodeRulesRequest(bytes: Uint8Array): Result<RulesRequestMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let type: RulesRequestMessage["type"] = "all";
  let partialResponse: PartialResponse = "warn";
  const texts: Readonly<Record<"matchers" | "ruleNames" | "groupNames" | "files", string[]>> = {
    matchers: [],
    ruleNames: [],
    groupNames: [],
    files: [],
  };
  while (reader.nextField()) {
    switch (reader.field) {
      case 1: {
        const number = reader.int32();
        const known = ruleTypes[number];
        if (known === undefined) reader.fail(`type of rules ${number}`);
        else type = known;
        break;
      }
      case 2:
        partialResponse = readPartialResponse(reader);
        break;
      case 3:
        texts.matchers.push(reader.text());
        break;
      case 4:
        texts.ruleNames.push(reader.text());
        break;
      case 5:
        texts.groupNames.push(reader.text());
        break;
      case 6:
        texts.files.push(reader.text());
        break;
      default:
        reader.skip();
    }
  }
  return reader.failure === undefined ? ok({ type, partialResponse, ...texts }) : fail(reader.failure);
}

/** A RulesResponse with one group. */
export function encodeRuleGroup(group: RuleGroup, numbers: AlertStateNumbers = "since-0.41"): Uint8Array {
  return encodeAnswerPart((writer) => {
    writer.text(1, group.name);
    writer.text(2, group.file);
    for (const rule of group.rules) {
      const mark = writer.open(3, 2);
      writeRule(writer, rule, stateTables[numbers]);
      writer.close(mark);
    }
    writer.double(4, group.intervalSeconds);
    writer.double(5, group.evaluationSeconds);
    writeTimestamp(writer, 6, group.lastEvaluation);
    writer.int64(8, partialResponseNumber[group.onFailure]);
    writer.int64(9, group.limit);
  });
}

export function decodeRulesResponse(
  bytes: Uint8Array,
  numbers: AlertStateNumbers = "since-0.41",
): Result<AnswerFrame<RuleGroup>, WireFailure> {
  return decodeAnswerFrame(bytes, (reader) => readGroup(reader, stateTables[numbers]));
}

type StateTable = readonly AlertState[];

function writeRule(writer: ProtobufWriter, rule: Rule, states: StateTable): void {
  switch (rule.kind) {
    case "recording": {
      const mark = writer.open(1, 2);
      writer.text(1, rule.name);
      writer.text(2, rule.query);
      writeLabelSet(writer, 3, rule.labels);
      writer.text(4, rule.health);
      writer.text(5, rule.lastError);
      writer.double(6, rule.evaluationSeconds);
      writeTimestamp(writer, 7, rule.lastEvaluation);
      return writer.close(mark);
    }
    case "alerting": {
      const mark = writer.open(2, 2);
      writer.int64(1, numberOf(rule.state, states));
      writer.text(2, rule.name);
      writer.text(3, rule.query);
      writer.double(4, rule.durationSeconds);
      writeLabelSet(writer, 5, rule.labels);
      writeLabelSet(writer, 6, rule.annotations);
      for (const alert of rule.alerts) writeAlert(writer, alert, states);
      writer.text(8, rule.health);
      writer.text(9, rule.lastError);
      writer.double(10, rule.evaluationSeconds);
      writeTimestamp(writer, 11, rule.lastEvaluation);
      writer.double(12, rule.keepFiringForSeconds);
      return writer.close(mark);
    }
    default:
      return unreachable(rule);
  }
}

function writeAlert(writer: ProtobufWriter, alert: AlertInstance, states: StateTable): void {
  const mark = writer.open(7, 2);
  writeLabelSet(writer, 1, alert.labels);
  writeLabelSet(writer, 2, alert.annotations);
  writer.int64(3, numberOf(alert.state, states));
  writeTimestamp(writer, 4, alert.activeAt);
  writer.text(5, alert.value);
  writer.int64(6, partialResponseNumber[alert.onFailure]);
  writeTimestamp(writer, keepFiringSinceField, alert.keepFiringSince);
  writer.close(mark);
}

/** What a table lacks is harmless: it is `unknown` to a peer that has no such word. */
function numberOf(state: AlertState, states: StateTable): number {
  return Math.max(0, states.indexOf(state));
}

function readState(reader: ProtobufReader, states: StateTable): AlertState {
  return states[reader.int32()] ?? "unknown";
}

function readGroup(reader: ProtobufReader, states: StateTable): RuleGroup {
  let [name, file] = ["", ""];
  let [intervalSeconds, evaluationSeconds, limit] = [0, 0, 0];
  let lastEvaluation: Instant = zeroInstant;
  let onFailure: PartialResponse = "warn";
  const rules: Rule[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        name = reader.text();
        break;
      case 2:
        file = reader.text();
        break;
      case 3: {
        const rule = readRule(reader, states);
        // A kind from the future is none that could be told of.
        if (rule !== undefined) rules.push(rule);
        break;
      }
      case 4:
        intervalSeconds = reader.double();
        break;
      case 5:
        evaluationSeconds = reader.double();
        break;
      case 6:
        lastEvaluation = readTimestamp(reader);
        break;
      case 8:
        onFailure = readPartialResponse(reader);
        break;
      case 9:
        limit = reader.int64();
        break;
      default:
        reader.skip();
    }
  }
  return { name, file, rules, intervalSeconds, limit, evaluationSeconds, lastEvaluation, onFailure };
}

function readRule(reader: ProtobufReader, states: StateTable): Rule | undefined {
  let rule: Rule | undefined;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) rule = readRecording(reader);
    else if (reader.field === 2) rule = readAlerting(reader, states);
    else reader.skip();
  }
  return rule;
}

function readRecording(reader: ProtobufReader): Rule {
  let [name, query, health, lastError] = ["", "", "", ""];
  let labels = emptyLabels;
  let evaluationSeconds = 0;
  let lastEvaluation: Instant = zeroInstant;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        name = reader.text();
        break;
      case 2:
        query = reader.text();
        break;
      case 3:
        labels = readLabelSet(reader);
        break;
      case 4:
        health = reader.text();
        break;
      case 5:
        lastError = reader.text();
        break;
      case 6:
        evaluationSeconds = reader.double();
        break;
      case 7:
        lastEvaluation = readTimestamp(reader);
        break;
      default:
        reader.skip();
    }
  }
  return { kind: "recording", name, query, labels, health, lastError, evaluationSeconds, lastEvaluation };
}

function readAlerting(reader: ProtobufReader, states: StateTable): Rule {
  let state: AlertState = states[0] ?? "unknown";
  let [name, query, health, lastError] = ["", "", "", ""];
  let [labels, annotations] = [emptyLabels, emptyLabels];
  let [durationSeconds, keepFiringForSeconds, evaluationSeconds] = [0, 0, 0];
  let lastEvaluation: Instant = zeroInstant;
  const alerts: AlertInstance[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        state = readState(reader, states);
        break;
      case 2:
        name = reader.text();
        break;
      case 3:
        query = reader.text();
        break;
      case 4:
        durationSeconds = reader.double();
        break;
      case 5:
        labels = readLabelSet(reader);
        break;
      case 6:
        annotations = readLabelSet(reader);
        break;
      case 7:
        alerts.push(readAlert(reader, states));
        break;
      case 8:
        health = reader.text();
        break;
      case 9:
        lastError = reader.text();
        break;
      case 10:
        evaluationSeconds = reader.double();
        break;
      case 11:
        lastEvaluation = readTimestamp(reader);
        break;
      case 12:
        keepFiringForSeconds = reader.double();
        break;
      default:
        reader.skip();
    }
  }
  const durations = { durationSeconds, keepFiringForSeconds, evaluationSeconds };
  const told = { state, name, query, labels, annotations, alerts, health, lastError, lastEvaluation };
  return { kind: "alerting", ...told, ...durations };
}

function readAlert(reader: ProtobufReader, states: StateTable): AlertInstance {
  let [labels, annotations] = [emptyLabels, emptyLabels];
  let state: AlertState = states[0] ?? "unknown";
  let activeAt: Instant | undefined;
  let keepFiringSince: Instant | undefined;
  let value = "";
  let onFailure: PartialResponse = "warn";
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        labels = readLabelSet(reader);
        break;
      case 2:
        annotations = readLabelSet(reader);
        break;
      case 3:
        state = readState(reader, states);
        break;
      case 4:
        activeAt = readTimestamp(reader);
        break;
      case 5:
        value = reader.text();
        break;
      case 6:
        onFailure = readPartialResponse(reader);
        break;
      case keepFiringSinceField:
        keepFiringSince = readTimestamp(reader);
        break;
      default:
        reader.skip();
    }
  }
  return { labels, annotations, state, activeAt, keepFiringSince, value, onFailure };
}
