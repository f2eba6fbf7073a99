/** A SeriesSource as a StoreAPI server: handlers for the gRPC transport to serve. */
import type { Aggregate, LabelsAnswer, LabelsRequest, Result, SeriesSource, SourceFailure } from "@pleiad/model";
import { RpcError, type RpcHandler } from "@pleiad/ports";
import {
  createSeriesFrameWriter,
  decodeHealthCheckRequest,
  decodeInfoRequest,
  decodeLabelNamesRequest,
  decodeLabelValuesRequest,
  decodeSeriesRequest,
  encodeHealthCheckResponse,
  encodeInfoResponse,
  encodeLabelTexts,
  formatWireFailure,
  type WireAggregate,
  type WireFailure,
} from "@pleiad/wire";
import { rpcErrorOf } from "./rpc-failures.ts";
import { infoOfIdentity, type StoreIdentity } from "./store-identity.ts";
import { healthMethod, infoMethod, labelNamesMethod, labelValuesMethod, seriesMethod } from "./store-methods.ts";
import { labelsOfMessage, selectOfMessage } from "./store-requests.ts";

export interface StoreHandlerOptions {
  readonly groupBytes: number; // messages are handed to the transport together in groups of about this size
  readonly frameBytesMax: number; // a series with more chunks goes on in further messages
  readonly batchSeriesMax: number; // in one message, for clients that ask for batches
  readonly matchersMax: number; // in one request
  readonly requestsMax: number; // at once, over all methods that read data
  /** Whether it takes requests for data, for who knows that sooner than the rest of `info`, of which it is a part. */
  readonly ready?: () => boolean;
}

export const defaultStoreHandlers: StoreHandlerOptions = {
  groupBytes: 64 << 10,
  frameBytesMax: 1 << 20,
  batchSeriesMax: 1024,
  matchersMax: 1000,
  requestsMax: 128,
};

const healthServices: ReadonlySet<string> = new Set(["", "thanos.Store", "thanos.info.Info"]);

/**
 * Handlers by full method name. `info` is asked anew for every Info call, and, where there is no `ready`, before every request for
 * data.
 */
export function storeHandlers(
  source: SeriesSource,
  info: () => StoreIdentity,
  options: StoreHandlerOptions = defaultStoreHandlers,
): ReadonlyMap<string, RpcHandler> {
  let running = 0;

  /** Counts a request for data in; the caller counts it out. */
  function admit() {
    if ((options.ready?.() ?? info().ready) === false) throw new RpcError("UNAVAILABLE", "not ready");
    if (running >= options.requestsMax) {
      throw new RpcError("RESOURCE_EXHAUSTED", `more than ${options.requestsMax} requests at once`);
    }
    running++;
  }

  async function* series(request: Uint8Array, signal: AbortSignal): AsyncGenerator<readonly Uint8Array[]> {
    const message = valueOf(decodeSeriesRequest(request));
    checkMatchers(message.matchers.length, options);
    if (message.matchers.length === 0) throw new RpcError("INVALID_ARGUMENT", "no matchers specified");
    admit();
    try {
      const select = selectOfMessage(message);
      const writer = createSeriesFrameWriter({
        batchSeriesMax: Math.min(message.responseBatchSize, options.batchSeriesMax),
        frameBytesMax: options.frameBytesMax,
        aggregates: wantedAggregates(message.aggregates),
      });
      const cursor = source.select(select, signal);
      try {
        let left = select.seriesMax === 0 ? Infinity : select.seriesMax;
        for (let batch = await cursor.next(); batch !== undefined && left > 0; batch = await cursor.next()) {
          for (const one of batch) {
            if (--left < 0) break;
            writer.series(one);
            if (writer.byteLength >= options.groupBytes) yield writer.take();
          }
        }
        if (cursor.failure !== undefined) throw rpcErrorOf(cursor.failure);
        for (const warning of cursor.warnings) writer.warning(warning);
        if (writer.byteLength > 0) yield writer.take();
      } finally {
        cursor.close();
      }
    } finally {
      running--;
    }
  }

  async function labels(
    request: LabelsRequest,
    ask: (request: LabelsRequest) => Promise<Result<LabelsAnswer, SourceFailure>>,
  ): Promise<Uint8Array> {
    checkMatchers(request.matchers.length, options);
    admit();
    try {
      const answer = await ask(request);
      if (!answer.ok) throw rpcErrorOf(answer.failure);
      const { values, warnings } = answer.value;
      const texts = request.limit > 0 ? values.slice(0, request.limit) : values;
      return encodeLabelTexts({ texts, warnings, hints: undefined });
    } finally {
      running--;
    }
  }

  return new Map<string, RpcHandler>([
    [
      infoMethod,
      {
        kind: "unary",
        handle: async (request) => {
          valueOf(decodeInfoRequest(request));
          return encodeInfoResponse(infoOfIdentity(info()));
        },
      },
    ],
    [seriesMethod, { kind: "stream", handle: (request, context) => series(request, context.signal) }],
    [
      labelNamesMethod,
      {
        kind: "unary",
        handle: async (request, { signal }) =>
          await labels(labelsOfMessage(valueOf(decodeLabelNamesRequest(request))), (wanted) =>
            source.labelNames(wanted, signal),
          ),
      },
    ],
    [
      labelValuesMethod,
      {
        kind: "unary",
        handle: async (request, { signal }) => {
          const message = valueOf(decodeLabelValuesRequest(request));
          if (message.label === "") throw new RpcError("INVALID_ARGUMENT", "label name is empty");
          return await labels(labelsOfMessage(message), (wanted) => source.labelValues(message.label, wanted, signal));
        },
      },
    ],
    [
      healthMethod,
      {
        kind: "unary",
        handle: async (request) => {
          const service = valueOf(decodeHealthCheckRequest(request));
          if (!healthServices.has(service)) throw new RpcError("NOT_FOUND", `unknown service ${service}`);
          return encodeHealthCheckResponse(info().ready === false ? "not-serving" : "serving");
        },
      },
    ],
  ]);
}

function valueOf<T>(decoded: Result<T, WireFailure>): T {
  if (decoded.ok) return decoded.value;
  throw new RpcError("INVALID_ARGUMENT", `malformed request: ${formatWireFailure(decoded.failure)}`);
}

function checkMatchers(count: number, { matchersMax }: StoreHandlerOptions): void {
  if (count <= matchersMax) return;
  throw new RpcError("INVALID_ARGUMENT", `${count} matchers, at most ${matchersMax} are allowed`);
}

/** Undefined where the client named no aggregate: it gets all. */
function wantedAggregates(named: readonly WireAggregate[]): ReadonlySet<Aggregate> | undefined {
  const wanted = named.filter((one) => one !== "raw");
  return wanted.length === 0 ? undefined : new Set(wanted);
}
