import { describe, expect, it } from "vitest";
import type { SourceFailure } from "@pleiad/model";
import { describeTrouble } from "./rpc-failures.ts";

const source = "cluster-001";
const address = "127.0.0.1:30001";
const unavailable = (reason: string): SourceFailure => ({ kind: "unavailable", source, reason });

describe("an endpoint's failure in words that its address completes", () => {
  for (const [failure, words] of [
    [unavailable(`connect to ${address}: refused`), "connection refused by"],
    [unavailable(`connect to ${address}: connection refused`), "connection refused by"],
    [unavailable(`connect to ${address}: connection refused (next attempt in 136 ms)`), "connection refused by"],
    [unavailable(`connect to ${address}: no route to host`), "no route to host at"],
    [unavailable(`connection to ${address} lost: connection reset`), "connection lost to"],
    [unavailable("not ready"), "not ready at"],
    [{ kind: "timeout", source, afterMs: 2500 }, "no answer within 2.5 s from"],
    [{ kind: "canceled", source }, "canceled at"],
    [{ kind: "limit", source, of: "series", max: 5 }, "more than 5 series from"],
    [
      { kind: "corrupt", source, reason: "varint longer than 10 bytes" },
      "corrupt data, varint longer than 10 bytes, from",
    ],
    [{ kind: "invalid", source, reason: "no matchers specified" }, "no matchers specified at"],
  ] satisfies readonly (readonly [SourceFailure, string])[]) {
    it(words, () => expect(describeTrouble(failure, address)).toBe(words));
  }
});
