/** Failures of sources and statuses of calls: the one place where one becomes the other. */
import { formatSourceFailure, unreachable, type SourceFailure } from "@pleiad/model";
import { RpcError, type RpcCode } from "@pleiad/ports";

const codeOf = {
  unavailable: "UNAVAILABLE",
  timeout: "DEADLINE_EXCEEDED",
  canceled: "CANCELLED",
  limit: "RESOURCE_EXHAUSTED",
  corrupt: "DATA_LOSS",
  invalid: "INVALID_ARGUMENT",
} satisfies Record<SourceFailure["kind"], RpcCode>;

/** What a peer's status means for the one who asked it. Limits of a peer are its refusal: their number is in its text. */
const kindOf = {
  CANCELLED: "unavailable", // by the peer: a caller that cancels knows it
  UNKNOWN: "unavailable",
  INVALID_ARGUMENT: "invalid",
  DEADLINE_EXCEEDED: "timeout",
  NOT_FOUND: "unavailable",
  ALREADY_EXISTS: "unavailable",
  PERMISSION_DENIED: "unavailable",
  RESOURCE_EXHAUSTED: "unavailable",
  FAILED_PRECONDITION: "unavailable",
  ABORTED: "unavailable", // Thanos's word for "a part failed, and partial answers were not wanted"
  OUT_OF_RANGE: "invalid",
  UNIMPLEMENTED: "unavailable",
  INTERNAL: "unavailable",
  UNAVAILABLE: "unavailable",
  DATA_LOSS: "corrupt",
  UNAUTHENTICATED: "unavailable",
} satisfies Record<RpcCode, "unavailable" | "timeout" | "corrupt" | "invalid">;

export function rpcErrorOf(failure: SourceFailure): RpcError {
  return new RpcError(codeOf[failure.kind], formatSourceFailure(failure));
}

export interface CallCircumstances {
  readonly source: string;
  readonly signal: AbortSignal; // the caller's
  readonly timeoutMs: number;
}

/** The failure that a thrown error of a call stands for. */
export function failureOfCall(error: unknown, { source, signal, timeoutMs }: CallCircumstances): SourceFailure {
  if (signal.aborted) return { kind: "canceled", source };
  if (!(error instanceof RpcError)) {
    return { kind: "unavailable", source, reason: error instanceof Error ? error.message : String(error) };
  }
  const kind = kindOf[error.code];
  return kind === "timeout" ? { kind, source, afterMs: timeoutMs } : { kind, source, reason: error.message };
}

/**
 * The failure of an endpoint in words to which its address is added: several endpoints that fail in the same way are
 * told in one sentence.
 */
export function describeTrouble(failure: SourceFailure, address: string): string {
  switch (failure.kind) {
    case "unavailable": {
      const connecting = `connect to ${address}: `;
      if (failure.reason.startsWith(connecting)) {
        // A pause before the next attempt tells nothing of the endpoint, and would set apart what fails alike.
        const reason = failure.reason.slice(connecting.length).replace(/ \(next attempt in [^)]*\)$/, "");
        return reason.endsWith("refused") ? "connection refused by" : `${reason} at`;
      }
      return failure.reason.startsWith(`connection to ${address} lost`) ? "connection lost to" : `${failure.reason} at`;
    }
    case "timeout":
      return `no answer within ${failure.afterMs / 1000} s from`;
    case "canceled":
      return "canceled at";
    case "limit":
      return `more than ${failure.max} ${failure.of} from`;
    case "corrupt":
      return `corrupt data, ${failure.reason}, from`;
    case "invalid":
      return `${failure.reason} at`;
    default:
      return unreachable(failure);
  }
}
