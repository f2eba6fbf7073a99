export type { AnyMessage } from "./any-message.ts";
export {
  decodeExemplarsRequest,
  decodeExemplarsResponse,
  encodeExemplarsRequest,
  encodeSeriesExemplars,
  type ExemplarsRequestMessage,
} from "./exemplars-messages.ts";
export {
  decodeHealthCheckRequest,
  decodeHealthCheckResponse,
  encodeHealthCheckRequest,
  encodeHealthCheckResponse,
  type ServingStatus,
} from "./health-messages.ts";
export {
  decodeInfoRequest,
  decodeInfoResponse,
  encodeInfoRequest,
  encodeInfoResponse,
  noCapabilities,
  type Capabilities,
  type InfoResponseMessage,
  type StoreInfoMessage,
  type TsdbInfoMessage,
} from "./info-messages.ts";
export {
  decodeLabelNamesRequest,
  decodeLabelTexts,
  decodeLabelValuesRequest,
  encodeLabelNamesRequest,
  encodeLabelTexts,
  encodeLabelValuesRequest,
  type LabelNamesRequestMessage,
  type LabelTextsMessage,
  type LabelValuesRequestMessage,
} from "./label-queries.ts";
export type { HistogramMessage } from "./histogram-message.ts";
export { createLabelTable, defaultLabelTable, type LabelTable, type LabelTableOptions } from "./label-table.ts";
export {
  decodeMetadataRequest,
  decodeMetadataResponse,
  encodeMetadata,
  encodeMetadataRequest,
  type MetadataRequestMessage,
} from "./metadata-messages.ts";
export type { PartialResponse } from "./partial-response.ts";
export { ProtobufReader } from "./protobuf-reader.ts";
export { ProtobufWriter } from "./protobuf-writer.ts";
export {
  decodeQueryRangeRequest,
  decodeQueryRequest,
  decodeQueryResponse,
  emptyQueryRangeRequest,
  emptyQueryRequest,
  encodeQueryBatch,
  encodeQueryRangeRequest,
  encodeQueryRequest,
  encodeQuerySeries,
  encodeQueryStats,
  encodeQueryWarning,
  type ExactQueryMessage,
  type QueryRangeRequestMessage,
  type QueryRequestMessage,
  type QueryResponseMessage,
} from "./query-messages.ts";
export {
  decodeChunkedRead,
  decodeReadResponse,
  encodeReadRequest,
  type ReadQuery,
  type ReadResponseType,
} from "./read-messages.ts";
export {
  decodeRulesRequest,
  decodeRulesResponse,
  encodeRuleGroup,
  encodeRulesRequest,
  type AlertStateNumbers,
  type RulesRequestMessage,
} from "./rules-messages.ts";
export {
  decodeSeriesRequest,
  emptySeriesRequest,
  encodeSeriesRequest,
  type QueryHintsMessage,
  type SeriesRequestMessage,
  type ShardMessage,
  type WireAggregate,
} from "./series-request.ts";
export {
  createSeriesFrameReader,
  createSeriesFrameWriter,
  type SeriesFrameOptions,
  type SeriesFrameReader,
  type SeriesFrames,
  type SeriesFrameWriter,
} from "./series-response.ts";
export { readTimeSeries, writeTimeSeries, type TimeSeriesMessage } from "./time-series.ts";
export { encodeAnswerWarning, type AnswerFrame } from "./streamed-answer.ts";
export {
  decodeTargetsRequest,
  decodeTargetsResponse,
  encodeTargets,
  encodeTargetsRequest,
  type TargetsMessage,
  type TargetsRequestMessage,
} from "./targets-messages.ts";
export { formatWireFailure, type WireFailure } from "./wire-failure.ts";
export { createWriteRequestV2Reader } from "./write-request-v2.ts";
export { createWriteRequestReader } from "./write-request.ts";
export {
  defaultWriteRequestLimits,
  type ExemplarMessage,
  type MetadataMessage,
  type MetricType,
  type WriteRequestFailure,
  type WriteRequestLimits,
  type WriteRequestReader,
  type WrittenSamples,
} from "./written-samples.ts";
