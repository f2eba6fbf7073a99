export { judgeAccess, loopbackAccess, type AccessOptions, type AccessVerdict } from "./access.ts";
export { annotationsMax, failureResponse, type ApiFailure } from "./envelope.ts";
export {
  createHttpApi,
  createProbeApi,
  defaultHttpApiLimits,
  type HttpApiLimits,
  type HttpApiOptions,
  type HttpHandler,
} from "./http-api.ts";
export { formatTimestamp, quoteJson } from "./json-text.ts";
export { parseDurationText, parseTimestamp } from "./parameter-text.ts";
export type { ProbeRoutesOptions } from "./probe-routes.ts";
export { createQueryGate, type QueryGate, type QueryGateOptions } from "./query-gate.ts";
export { readForm, type RequestForm } from "./request-form.ts";
export type { RouterPorts } from "./router.ts";
export type { BuildInfo, ListedStore, StoreListing } from "./status-routes.ts";
export { defaultWarmUp, warmUp, type WarmUpOptions } from "./warm-up.ts";
export { warmUpSource } from "./warm-up-source.ts";
