/** What becomes of answers, failures and refusals on their way to the client. */
import { failureResponse, type ApiFailure } from "@pleiad/http-api";
import { unreachable, type Result } from "@pleiad/model";
import type { HttpAnswer, HttpResponse } from "@pleiad/ports";
import type { HeldBytes } from "./answer-room.ts";
import type { DownstreamFailure } from "./downstreams.ts";
import type { RangeQueryFailure, RangeReply } from "./range-queries.ts";
import type { AdmissionFailure } from "./tenant-queue.ts";

/** An answer as all who asked for it get it. */
export interface Reply {
  readonly response: HttpResponse;
  readonly details: Readonly<Record<string, string | number>>; // for the log
  readonly refusal?: "no-room";
}

/** A reply and its bytes, which everyone holds to whom it is sent. */
export interface HeldReply extends Reply {
  readonly held: HeldBytes;
}

/** A body that is larger is sent in parts, so that its end is seen. */
const partBytes = 64 * 1024;

/** The response of a reply, which is held until it was sent, or its client has gone. */
export function sending({ response, held }: HeldReply, client: AbortSignal): HttpResponse {
  const { body } = response;
  if (!(body instanceof Uint8Array) || body.length <= partBytes || client.aborted) return response;
  held.retain();
  let isHeld = true;
  const letGo = () => {
    if (isHeld) held.release();
    isHeld = false;
  };
  // A body that nobody begins to read never ends.
  client.addEventListener("abort", letGo, { once: true });
  return { ...response, body: parts(body, letGo) };
}

async function* parts(body: Uint8Array, letGo: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (let from = 0; from < body.length; from += partBytes) yield body.subarray(from, from + partBytes);
  } finally {
    letGo();
  }
}

export function refusalOf(failure: AdmissionFailure, tenant: string): ApiFailure {
  const headers = { "retry-after": "5" };
  if (failure.kind === "tenant-full") {
    const message = `too many outstanding requests: ${failure.max} of tenant ${JSON.stringify(tenant)} run or wait`;
    return { errorType: "too_many_requests", message, headers };
  }
  const message = `too many outstanding requests: ${failure.max} run or wait`;
  return { errorType: "unavailable", status: 503, message, headers };
}

export function replyOfRange({ body, isPartial, partCount, stepCount, keptStepCount }: RangeReply): Reply {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (isPartial) headers["cache-control"] = "no-store";
  return { response: { status: 200, headers, body }, details: { partCount, stepCount, keptStepCount } };
}

export function replyOfFailure(failure: Exclude<RangeQueryFailure, { readonly kind: "unreadable" }>): Reply {
  switch (failure.kind) {
    case "refused":
      return replyOfAnswer({ ok: true, value: failure.answer });
    case "unanswered":
      return replyOfFailed(failure.failure);
    case "over-limit":
      return { response: failureResponse(failure.failure), details: {} };
    default:
      return unreachable(failure);
  }
}

const passedHeaders = ["content-type", "cache-control", "retry-after", "allow"];

export function replyOfFailed(failure: DownstreamFailure): Reply {
  const reply: Reply = { response: failureResponse(failureOf(failure)), details: {} };
  return failure.kind === "no-room" ? { ...reply, refusal: failure.kind } : reply;
}

export function replyOfAnswer(answer: Result<HttpAnswer, DownstreamFailure>): Reply {
  if (!answer.ok) return replyOfFailed(answer.failure);
  const { status, headers, body } = answer.value;
  const passed = passedHeaders.flatMap((name) => {
    const value = headers.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { response: { status, headers: Object.fromEntries(passed), body }, details: {} };
}

function failureOf({ kind, message }: DownstreamFailure): ApiFailure {
  switch (kind) {
    case "unreachable":
      return { errorType: "unavailable", status: 503, message };
    case "timeout":
      return { errorType: "timeout", message };
    case "no-room":
      return { errorType: "unavailable", status: 503, message, headers: { "retry-after": "5" } };
    case "too-large":
      return { errorType: "execution", message };
    case "canceled":
      return { errorType: "canceled", message };
    default:
      return unreachable(kind);
  }
}
