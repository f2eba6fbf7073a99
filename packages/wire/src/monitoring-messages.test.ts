/**
 * Messages of Rules, Targets, Metadata and Exemplars against a general protobuf implementation that reads
 * `testdata/monitoring.proto`, both directions, with fields that are unknown, and on bytes that are no message.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import {
  alertStates,
  emptyLabels,
  labelPairs,
  labelsFromPairs,
  targetHealths,
  zeroInstant,
  type AlertInstance,
  type Instant,
  type Labels,
  type Rule,
  type RuleGroup,
  type SeriesExemplars,
} from "@pleiad/model";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import {
  decodeExemplarsRequest,
  decodeExemplarsResponse,
  encodeExemplarsRequest,
  encodeSeriesExemplars,
} from "./exemplars-messages.ts";
import {
  decodeMetadataRequest,
  decodeMetadataResponse,
  encodeMetadata,
  encodeMetadataRequest,
} from "./metadata-messages.ts";
import { decodeRulesRequest, decodeRulesResponse, encodeRuleGroup, encodeRulesRequest } from "./rules-messages.ts";
import { encodeAnswerWarning } from "./streamed-answer.ts";
import {
  decodeTargetsRequest,
  decodeTargetsResponse,
  encodeTargets,
  encodeTargetsRequest,
  type TargetsMessage,
} from "./targets-messages.ts";

const { root } = protobuf.parse(readFileSync(new URL("../testdata/monitoring.proto", import.meta.url), "utf8"), {
  keepCase: true,
});
const asObject = { longs: Number, bytes: Array, defaults: true, arrays: true, objects: true };

/** Of each wire type one, of numbers that no message has. */
const unknownFields = new Uint8Array([0xf8, 0x07, 1, 0xf9, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0xfa, 0x07, 2, 8, 9]);

const joined = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

function compare<T>(
  name: string,
  messages: fc.Arbitrary<T>,
  toPlain: (message: T) => object,
  encode: (message: T) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
  decoded: (message: T) => unknown = (message) => message,
) {
  const type = root.lookupType(`pleiad.test.${name}`);
  it(name, () => {
    fc.assert(
      fc.property(messages, (message) => {
        const made = type.fromObject(toPlain(message));
        expect(type.toObject(type.decode(encode(message)), asObject)).toEqual(type.toObject(made, asObject));
        const bytes = joined(unknownFields, type.encode(made).finish(), unknownFields);
        expect(decode(bytes)).toEqual({ ok: true, value: decoded(message) });
      }),
      { numRuns: 200 },
    );
  });
  it(`${name}, changed and cut at random, gives a message or a failure with its offset`, () => {
    const bytes = fc.tuple(messages, fc.array(fc.tuple(fc.nat(), fc.nat(255))), fc.nat());
    fc.assert(
      fc.property(bytes, ([message, changes, cut]) => {
        const changed = Uint8Array.from(encode(message));
        for (const [at, byte] of changes) changed[at % Math.max(1, changed.length)] = byte;
        const part = changed.subarray(0, cut % (changed.length + 1));
        const { failure } = decode(part) as { readonly failure?: { readonly offset: number } };
        expect(failure?.offset ?? 0).toBeLessThanOrEqual(part.length);
      }),
      { numRuns: 300 },
    );
  });
}

const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 12 }), fc.string({ unit: "binary", maxLength: 90 }));
const number = fc.double({ noNaN: true });
const filled = text.map((value) => value || "x");
const labels = fc.array(fc.tuple(filled, filled), { maxLength: 4 }).map((pairs) => labelsFromPairs(pairs));
const instant: fc.Arbitrary<Instant> = fc.oneof(
  fc.constant(zeroInstant),
  fc.record({ seconds: fc.integer({ min: -1e11, max: 1e11 }), nanos: fc.nat(999_999_999) }),
);
const partialResponse = fc.constantFrom("warn" as const, "abort" as const);
const strategy = (value: "warn" | "abort") => (value === "warn" ? 0 : 1);
const plainLabels = (set: Labels) => ({ labels: Array.from(labelPairs(set), ([name, value]) => ({ name, value })) });

const told = {
  name: text,
  query: text,
  labels,
  health: text,
  lastError: text,
  evaluationSeconds: number,
  lastEvaluation: instant,
};
const alert: fc.Arbitrary<AlertInstance> = fc.record({
  labels,
  annotations: labels,
  state: fc.constantFrom(...alertStates),
  activeAt: fc.option(instant, { nil: undefined }),
  keepFiringSince: fc.option(instant, { nil: undefined }),
  value: text,
  onFailure: partialResponse,
});
const rule: fc.Arbitrary<Rule> = fc.oneof(
  fc.record({ kind: fc.constant("recording" as const), ...told }),
  fc.record({
    kind: fc.constant("alerting" as const),
    ...told,
    state: fc.constantFrom(...alertStates),
    durationSeconds: number,
    keepFiringForSeconds: number,
    annotations: labels,
    alerts: fc.array(alert, { maxLength: 3 }),
  }),
);
const group: fc.Arbitrary<RuleGroup> = fc.record({
  name: text,
  file: text,
  rules: fc.array(rule, { maxLength: 4 }),
  intervalSeconds: number,
  limit: fc.nat(),
  evaluationSeconds: number,
  lastEvaluation: instant,
  onFailure: partialResponse,
});

function plainRule(one: Rule) {
  const common = {
    name: one.name,
    query: one.query,
    labels: plainLabels(one.labels),
    health: one.health,
    last_error: one.lastError,
    evaluation_duration_seconds: one.evaluationSeconds,
    last_evaluation: one.lastEvaluation,
  };
  if (one.kind === "recording") return { recording: common };
  const alerts = one.alerts.map(({ activeAt, keepFiringSince, onFailure, state, value, ...sets }) => ({
    labels: plainLabels(sets.labels),
    annotations: plainLabels(sets.annotations),
    state: alertStates.indexOf(state),
    value,
    PartialResponseStrategy: strategy(onFailure),
    ...(activeAt === undefined ? {} : { active_at: activeAt }),
    ...(keepFiringSince === undefined ? {} : { keep_firing_since: keepFiringSince }),
  }));
  const durations = { duration_seconds: one.durationSeconds, keep_firing_for_seconds: one.keepFiringForSeconds };
  const annotations = plainLabels(one.annotations);
  return { alert: { ...common, ...durations, state: alertStates.indexOf(one.state), annotations, alerts } };
}

const plainGroup = (one: RuleGroup) => ({
  name: one.name,
  file: one.file,
  rules: one.rules.map(plainRule),
  interval: one.intervalSeconds,
  evaluation_duration_seconds: one.evaluationSeconds,
  last_evaluation: one.lastEvaluation,
  PartialResponseStrategy: strategy(one.onFailure),
  limit: one.limit,
});

const part = <T>(value: T) => ({ kind: "part", part: value });

describe("messages of Rules are those of the .proto file", () => {
  const texts = fc.array(text, { maxLength: 3 });
  compare(
    "RulesRequest",
    fc.record({
      type: fc.constantFrom("all" as const, "alert" as const, "record" as const),
      partialResponse,
      matchers: texts,
      ruleNames: texts,
      groupNames: texts,
      files: texts,
    }),
    (one) => ({
      type: ["all", "alert", "record"].indexOf(one.type),
      partial_response_strategy: strategy(one.partialResponse),
      matcher_string: one.matchers,
      rule_name: one.ruleNames,
      rule_group: one.groupNames,
      file: one.files,
    }),
    encodeRulesRequest,
    decodeRulesRequest,
  );
  compare(
    "RulesResponse",
    group,
    (one) => ({ group: plainGroup(one) }),
    (one) => encodeRuleGroup(one),
    (bytes) => decodeRulesResponse(bytes),
    part,
  );

  it("a peer of before 0.41 has no word for an alert that was not evaluated, and counts the others from 0", () => {
    const withStates: RuleGroup = {
      ...{ name: "g", file: "f", intervalSeconds: 1, limit: 0, evaluationSeconds: 0 },
      ...{ lastEvaluation: zeroInstant, onFailure: "warn" },
      rules: alertStates.map((state) => ({
        ...{ kind: "alerting", state, name: state, query: "up", health: "ok", lastError: "", evaluationSeconds: 0 },
        ...{ durationSeconds: 0, keepFiringForSeconds: 0, lastEvaluation: zeroInstant, alerts: [] },
        ...{ labels: emptyLabels, annotations: emptyLabels },
      })),
    };
    const statesOf = (bytes: Uint8Array, numbers: "since-0.41" | "before-0.41") => {
      const frame = decodeRulesResponse(bytes, numbers);
      if (!frame.ok || frame.value.kind !== "part") throw new Error("no group");
      return frame.value.part.rules.map((one) => (one.kind === "alerting" ? one.state : one.kind));
    };
    const old = encodeRuleGroup(withStates, "before-0.41");
    expect(statesOf(old, "before-0.41")).toEqual(["inactive", "inactive", "pending", "firing"]);
    expect(statesOf(old, "since-0.41")).toEqual(["unknown", "unknown", "inactive", "pending"]);
    expect(statesOf(encodeRuleGroup(withStates), "since-0.41")).toEqual(alertStates);
  });
});

describe("messages of Targets are those of the .proto file", () => {
  compare(
    "TargetsRequest",
    fc.record({ state: fc.constantFrom("any" as const, "active" as const, "dropped" as const), partialResponse }),
    (one) => ({
      state: ["any", "active", "dropped"].indexOf(one.state),
      partial_response_strategy: strategy(one.partialResponse),
    }),
    encodeTargetsRequest,
    decodeTargetsRequest,
  );
  const active = fc.record({
    ...{ discoveredLabels: labels, labels, scrapePool: text, scrapeUrl: text, globalUrl: text, lastError: text },
    ...{ lastScrape: instant, lastScrapeSeconds: number, health: fc.constantFrom(...targetHealths) },
  });
  const targets: fc.Arbitrary<TargetsMessage> = fc.record({
    active: fc.array(active, { maxLength: 3 }),
    dropped: fc.array(fc.record({ discoveredLabels: labels }), { maxLength: 3 }),
  });
  compare(
    "TargetsResponse",
    targets,
    (one) => ({
      targets: {
        activeTargets: one.active.map(({ lastScrapeSeconds, health, ...others }) => ({
          ...others,
          discoveredLabels: plainLabels(others.discoveredLabels),
          labels: plainLabels(others.labels),
          lastScrapeDuration: lastScrapeSeconds,
          health: targetHealths.indexOf(health),
        })),
        droppedTargets: one.dropped.map(({ discoveredLabels }) => ({
          discoveredLabels: plainLabels(discoveredLabels),
        })),
      },
    }),
    encodeTargets,
    decodeTargetsResponse,
    part,
  );
});

describe("messages of Metadata are those of the .proto file", () => {
  compare(
    "MetricMetadataRequest",
    fc.record({ metric: text, limit: fc.integer({ min: -1, max: 1e9 }), partialResponse }),
    (one) => ({ ...one, partial_response_strategy: strategy(one.partialResponse) }),
    encodeMetadataRequest,
    decodeMetadataRequest,
  );
  const meta = fc.record({ type: text, help: text, unit: text });
  // A general implementation keeps the entries of a map in an object, where whole numbers and `__proto__` go their own ways.
  const metric = filled.map((name) => `m${name}`);
  compare(
    "MetricMetadataResponse",
    fc.uniqueArray(fc.record({ metric, metas: fc.array(meta, { maxLength: 3 }) }), {
      maxLength: 5,
      selector: (one) => one.metric,
    }),
    (all) => ({ metadata: { metadata: Object.fromEntries(all.map((one) => [one.metric, { metas: one.metas }])) } }),
    encodeMetadata,
    decodeMetadataResponse,
    part,
  );
});

describe("messages of Exemplars are those of the .proto file", () => {
  const whole = fc.oneof(fc.constantFrom(0, -1, 1_700_000_000_000, -8.64e15, 8.64e15), fc.integer());
  compare(
    "ExemplarsRequest",
    fc.record({ query: text, minTimeMs: whole, maxTimeMs: whole, partialResponse }),
    (one) => ({
      query: one.query,
      start: one.minTimeMs,
      end: one.maxTimeMs,
      partial_response_strategy: strategy(one.partialResponse),
    }),
    encodeExemplarsRequest,
    decodeExemplarsRequest,
  );
  const series: fc.Arbitrary<SeriesExemplars> = fc.record({
    labels,
    exemplars: fc.array(fc.record({ timestampMs: whole, value: fc.double(), labels }), { maxLength: 4 }),
  });
  compare(
    "ExemplarsResponse",
    series,
    (one) => ({
      data: {
        seriesLabels: plainLabels(one.labels),
        exemplars: one.exemplars.map((exemplar) => ({
          labels: plainLabels(exemplar.labels),
          value: exemplar.value,
          ts: exemplar.timestampMs,
        })),
      },
    }),
    encodeSeriesExemplars,
    decodeExemplarsResponse,
    part,
  );
});

describe("frames of all four", () => {
  const decoders = { decodeRulesResponse, decodeTargetsResponse, decodeMetadataResponse, decodeExemplarsResponse };
  for (const [name, decode] of Object.entries(decoders)) {
    it(`${name} knows a warning, and a frame that says nothing it knows`, () => {
      expect(decode(encodeAnswerWarning("cluster-a is away"))).toEqual({
        ok: true,
        value: { kind: "warning", text: "cluster-a is away" },
      });
      expect(decode(unknownFields)).toEqual({ ok: true, value: { kind: "unknown" } });
    });
  }
});

describe("what would change the question is refused", () => {
  for (const [what, decode, bytes] of [
    ["a type of rules from the future", decodeRulesRequest, [0x08, 7]],
    ["a state of targets from the future", decodeTargetsRequest, [0x08, 7]],
  ] as const) {
    it(what, () => {
      expect(decode(Uint8Array.from(bytes))).toMatchObject({ ok: false, failure: { kind: "malformed" } });
    });
  }

  it("nanoseconds that are none", () => {
    const type = root.lookupType("pleiad.test.RulesResponse");
    const made = type.fromObject({ group: { last_evaluation: { seconds: 1, nanos: -1 } } });
    expect(decodeRulesResponse(type.encode(made).finish())).toMatchObject({ ok: false });
  });
});
