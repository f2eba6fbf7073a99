/** What a gRPC server counts of its calls, under the names and labels of gRPC's middleware for Go, as Thanos has them. */
import { RpcError, type Ports, type RpcCode, type RpcHandler } from "@pleiad/ports";

const durationBuckets = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720]; // Thanos's, seconds
const labelNames = ["grpc_method", "grpc_service", "grpc_type"];

/** The same handlers, counted and timed. A stream lasts until its last message is taken, or until nobody takes it. */
export function withServerMetrics(
  handlers: ReadonlyMap<string, RpcHandler>,
  { clock, observations }: Pick<Ports, "clock" | "observations">,
): ReadonlyMap<string, RpcHandler> {
  const started = observations.counter("grpc_server_started_total", "Calls that were begun.", labelNames);
  const handled = observations.counter("grpc_server_handled_total", "Calls that ended, by their status.", [
    "grpc_code",
    ...labelNames,
  ]);
  const durations = observations.histogram(
    "grpc_server_handling_seconds",
    "Time from a call to its end.",
    durationBuckets,
    labelNames,
  );

  const observed = (method: string, handler: RpcHandler): RpcHandler => {
    const [, service = "", name = ""] = method.split("/");
    const labels = [name, service, handler.kind === "unary" ? "unary" : "server_stream"];
    // Present from the start, so that a rate over them sees the first call too.
    started.add(0, ...labels);
    handled.add(0, "OK", ...labels);
    const begin = () => {
      started.add(1, ...labels);
      const startMs = clock.monotonicMs();
      return (code: string) => {
        handled.add(1, code, ...labels);
        durations.observe((clock.monotonicMs() - startMs) / 1000, ...labels);
      };
    };
    if (handler.kind === "unary") {
      return {
        kind: "unary",
        handle: async (request, context) => {
          const end = begin();
          let code = "OK";
          try {
            return await handler.handle(request, context);
          } catch (error) {
            code = codeOf(error, context.signal);
            throw error;
          } finally {
            end(code);
          }
        },
      };
    }
    return {
      kind: "stream",
      // Many in one: it is no call of any of them.
      ...(handler.together === undefined ? {} : { together: handler.together }),
      async *handle(request, context) {
        const end = begin();
        // Where the caller goes away, the generator ends at a yield: neither of the lines that say otherwise runs.
        let code = codeNames.CANCELLED;
        try {
          yield* handler.handle(request, context);
          code = "OK";
        } catch (error) {
          code = codeOf(error, context.signal);
          throw error;
        } finally {
          end(code);
        }
      },
    };
  };
  return new Map([...handlers].map(([method, handler]) => [method, observed(method, handler)]));
}

/** Of a call whose handler threw. What is no RpcError, the transport answers as INTERNAL. */
function codeOf(error: unknown, signal: AbortSignal): string {
  if (error instanceof RpcError) return codeNames[error.code];
  return signal.aborted ? codeNames.CANCELLED : codeNames.INTERNAL;
}

/** As Go writes them. */
const codeNames: Readonly<Record<RpcCode, string>> = {
  CANCELLED: "Canceled",
  UNKNOWN: "Unknown",
  INVALID_ARGUMENT: "InvalidArgument",
  DEADLINE_EXCEEDED: "DeadlineExceeded",
  NOT_FOUND: "NotFound",
  ALREADY_EXISTS: "AlreadyExists",
  PERMISSION_DENIED: "PermissionDenied",
  RESOURCE_EXHAUSTED: "ResourceExhausted",
  FAILED_PRECONDITION: "FailedPrecondition",
  ABORTED: "Aborted",
  OUT_OF_RANGE: "OutOfRange",
  UNIMPLEMENTED: "Unimplemented",
  INTERNAL: "Internal",
  UNAVAILABLE: "Unavailable",
  DATA_LOSS: "DataLoss",
  UNAUTHENTICATED: "Unauthenticated",
};
