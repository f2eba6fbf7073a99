/** The server as a function from request to response: signatures, operations, errors, faults and metrics. */
import { HttpError, type Bucket, type Clock, type HttpResponse, type HttpStreamRequest } from "@pleiad/ports";
import type { Observations, Random } from "@pleiad/ports";
import * as buckets from "./bucket-operations.ts";
import { createFaultInjector, parseFaultPlan, type S3Fault, type S3FaultPlan } from "./fault-plan.ts";
import * as multipart from "./multipart-operations.ts";
import { createMultipartUploads } from "./multipart-uploads.ts";
import * as objects from "./object-operations.ts";
import { createObjectShelf } from "./object-shelf.ts";
import {
  documentOf,
  operationOf,
  parseTarget,
  type S3Call,
  type S3OperationName,
  type S3Target,
  type S3World,
} from "./s3-call.ts";
import { fromBucketError, S3Error } from "./s3-error.ts";
import { defaultS3Limits, type S3Limits } from "./s3-limits.ts";
import { verifySignature, type S3Credential } from "./signature.ts";
import { createTurns } from "./turns.ts";
import { renderXml } from "./xml.ts";

export interface S3ServerOptions {
  readonly region: string;
  readonly credentials: readonly S3Credential[]; // at least one: there is no default
  readonly buckets: ReadonlyMap<string, Bucket>; // by the names that clients use
  /** Holds the parts of uploads, and what S3 keeps with an object besides its bytes. */
  readonly workspace: Bucket;
  /** Takes `<bucket>.<domain>` for the host of a bucket, beside the path. */
  readonly domain?: string;
  /** Whether those who have a credential may set faults, at `/-/faults`. */
  readonly faultsOverHttp?: boolean;
  readonly limits?: S3Limits;
}

export interface S3ServerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly observations: Observations;
}

export interface S3Server {
  handle(request: HttpStreamRequest): Promise<HttpResponse>;
  /** From the next request on. */
  setFaults(plan: S3FaultPlan): void;
  /** Removes the uploads that began too long ago, and says how many. */
  removeAbandonedUploads(): Promise<number>;
}

export const faultsPath = "/-/faults";

type Operation = (call: S3Call, world: S3World) => Promise<HttpResponse>;

const operations: Readonly<Record<S3OperationName, Operation>> = {
  AbortMultipartUpload: multipart.abortMultipartUpload,
  CompleteMultipartUpload: multipart.completeMultipartUpload,
  CopyObject: objects.copyObject,
  CreateBucket: buckets.createBucket,
  CreateMultipartUpload: multipart.createMultipartUpload,
  DeleteBucket: buckets.deleteBucket,
  DeleteObject: objects.deleteObject,
  DeleteObjects: buckets.deleteObjects,
  GetBucketLocation: buckets.getBucketLocation,
  GetBucketVersioning: buckets.getBucketVersioning,
  GetObject: objects.getObject,
  HeadBucket: buckets.headBucket,
  HeadObject: objects.headObject,
  ListBuckets: buckets.listBuckets,
  ListMultipartUploads: multipart.listMultipartUploads,
  ListObjects: buckets.listBucket,
  ListObjectsV2: buckets.listBucket,
  ListParts: multipart.listParts,
  PutObject: objects.putObject,
  UploadPart: multipart.uploadPart,
};

const durationBuckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]; // seconds

/** Throws if there is no credential, or an empty one. */
export function createS3Server(options: S3ServerOptions, ports: S3ServerPorts): S3Server {
  const { region, credentials, workspace, domain, faultsOverHttp = false, limits = defaultS3Limits } = options;
  if (
    credentials.length === 0 ||
    credentials.some(({ accessKey, secretKey }) => accessKey === "" || secretKey === "")
  ) {
    throw new Error("An S3 server needs at least one credential, and none with an empty key.");
  }
  const { clock, random, observations } = ports;
  const secrets = new Map(credentials.map(({ accessKey, secretKey }) => [accessKey, secretKey]));
  const turns = createTurns();
  const uploads = createMultipartUploads(workspace, ports, limits);
  const world: S3World = {
    region,
    shelves: new Map([...options.buckets].map(([name, one]) => [name, createObjectShelf(name, one, workspace, turns)])),
    uploads,
    turns,
    limits,
  };
  const faults = createFaultInjector(random);
  const metrics = declareMetrics(observations);
  const rules = { region, skewMsMax: limits.skewMsMax, secretKeyOf: (accessKey: string) => secrets.get(accessKey) };
  let running = 0;

  const answer = async (request: HttpStreamRequest, requestId: string, began: (operation: string) => void) => {
    const signature = verifySignature(request, rules, clock.wallMs());
    const query = new URLSearchParams(request.query);
    if (faultsOverHttp && request.path === faultsPath) {
      began("Faults");
      return serveFaults({ request, query, signature, bucketName: "", key: "" });
    }
    const target = parseTarget(request, domain);
    const name = operationOf(request.method, target, query, request.headers.has("x-amz-copy-source"));
    began(name);
    const { waitMs, fault } = faults.strike({ operation: name, ...target });
    if (waitMs > 0) await clock.sleep(waitMs, request.signal);
    const run = async () =>
      answerOf(await outcomeOf(operations[name]({ request, query, signature, ...target }, world)));
    const answerOf = (outcome: HttpResponse | S3Error) =>
      outcome instanceof S3Error ? answerError(outcome, request, requestId, target) : outcome;
    if (fault === undefined) return run();
    metrics.faults.add(1, fault.kind);
    return strickenAnswer(fault, run, request.signal);
  };

  const serveFaults = async (call: S3Call): Promise<HttpResponse> => {
    const { method } = call.request;
    if (method === "PUT") {
      let value: unknown;
      try {
        value = JSON.parse(new TextDecoder().decode(await documentOf(call, world)));
      } catch (error) {
        if (error instanceof SyntaxError) throw new S3Error("InvalidArgument", "The plan of faults is not JSON.");
        throw error;
      }
      const plan = parseFaultPlan(value);
      if (!plan.ok) throw new S3Error("InvalidArgument", plan.failure);
      faults.setPlan(plan.value);
    } else if (method === "DELETE") {
      faults.setPlan({ rules: [] });
    } else if (method !== "GET") {
      throw new S3Error("MethodNotAllowed", "Faults are read by GET, set by PUT, ended by DELETE.");
    }
    return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(faults.plan()) };
  };

  const strickenAnswer = async (
    fault: Exclude<S3Fault, { kind: "latency" }>,
    run: () => Promise<HttpResponse>,
    signal: AbortSignal,
  ): Promise<HttpResponse> => {
    switch (fault.kind) {
      case "error":
        throw new S3Error(fault.code, "Injected.");
      case "no-answer":
        if (fault.applied) await run();
        throw cut();
      case "truncated-body":
      case "stalled-body":
        break;
    }
    const { headers, status, body } = await run();
    const spanMs = fault.kind === "stalled-body" ? fault.spanMs : 0;
    const wait = () => (spanMs > 0 ? clock.sleep(spanMs, signal) : Promise.resolve());
    return { status, headers: withLength(headers, body), body: cutAt(fault.keptRatio, body, wait) };
  };

  return {
    setFaults: (plan) => faults.setPlan(plan),
    removeAbandonedUploads: async () => {
      let removed = 0;
      for (const { id, startedMs } of await uploads.list()) {
        if (startedMs > clock.wallMs() - limits.uploadMsMax) continue;
        const endTurn = await turns.take(`upload ${id}`);
        try {
          await uploads.remove(id);
        } finally {
          endTurn();
        }
        removed++;
      }
      return removed;
    },
    handle: async (request) => {
      const requestId = Array.from({ length: 16 }, () => random.int(16).toString(16).toUpperCase()).join("");
      const startMs = clock.monotonicMs();
      let operation = "Unknown";
      let response: HttpResponse;
      metrics.running.set(++running);
      try {
        if (running > limits.requestsMax) {
          throw new S3Error("SlowDown", `More than ${limits.requestsMax} requests are under way.`);
        }
        response = await answer(request, requestId, (name) => {
          operation = name;
        });
      } catch (error) {
        const told = toldOf(error);
        if (told === undefined) throw error;
        response = answerError(told, request, requestId, undefined);
      } finally {
        metrics.running.set(--running);
      }
      metrics.requests.add(1, operation, String(response.status));
      metrics.durations.observe((clock.monotonicMs() - startMs) / 1000, operation);
      return { ...response, headers: { "x-amz-request-id": requestId, ...response.headers } };
    },
  };
}

function declareMetrics(observations: Observations) {
  return {
    requests: observations.counter("pleiad_s3_requests_total", "Requests that were answered.", ["operation", "status"]),
    durations: observations.histogram(
      "pleiad_s3_request_duration_seconds",
      "Time until the answer began, its body left out.",
      durationBuckets,
      ["operation"],
    ),
    running: observations.gauge("pleiad_s3_requests_running", "Requests that are under way."),
    faults: observations.counter("pleiad_s3_faults_injected_total", "Requests that an injected fault struck.", [
      "fault",
    ]),
  };
}

/** What a client is told of a failure; undefined for a bug. */
function toldOf(error: unknown): S3Error | undefined {
  if (error instanceof S3Error) return error;
  if (error instanceof HttpError && error.kind === "timeout") {
    return new S3Error("RequestTimeout", "The request's body did not go on in time.");
  }
  return fromBucketError(error);
}

async function outcomeOf(response: Promise<HttpResponse>): Promise<HttpResponse | S3Error> {
  try {
    return await response;
  } catch (error) {
    const told = toldOf(error);
    if (told === undefined) throw error;
    return told;
  }
}

function answerError(
  error: S3Error,
  request: HttpStreamRequest,
  requestId: string,
  target: S3Target | undefined,
): HttpResponse {
  const { code, message, status } = error;
  const document = renderXml([
    "Error",
    [
      ["Code", code],
      ["Message", message],
      ["Resource", target === undefined ? request.path : `/${target.bucketName}/${target.key}`],
      ["RequestId", requestId],
    ],
  ]);
  return { status, headers: { "content-type": "application/xml" }, body: request.method === "HEAD" ? "" : document };
}

function withLength(headers: HttpResponse["headers"], body: HttpResponse["body"]): HttpResponse["headers"] {
  if (typeof body === "string") return { ...headers, "content-length": String(new TextEncoder().encode(body).length) };
  return body instanceof Uint8Array ? { ...headers, "content-length": String(body.length) } : headers;
}

/** The body up to a share of its first piece, then a wait, then the end of the connection. */
async function* cutAt(
  keptRatio: number,
  body: HttpResponse["body"],
  wait: () => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const first = await firstPiece(body);
  const kept = first.subarray(0, Math.floor(first.length * keptRatio));
  if (kept.length > 0) yield kept;
  await wait();
  throw cut();
}

/** Closes the connection. */
function cut(): HttpError {
  return new HttpError("canceled", "the connection is cut (injected)");
}

async function firstPiece(body: HttpResponse["body"]): Promise<Uint8Array> {
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body;
  for await (const piece of body) return piece;
  return new Uint8Array(0);
}
