export type {
  AnswerSeries,
  AnswerValue,
  InstantRequest,
  QueryAnalysis,
  QueryAnswer,
  QueryFailure,
  QueryLimits,
  QueryStatistics,
  RangeRequest,
  SourceSettings,
} from "./answer.ts";
export { createEngine, defaultEngineOptions, type Engine, type EngineOptions, type Explanation } from "./engine.ts";
export { engineEvaluators, type EngineEvaluators } from "./evaluator-group.ts";
export { engineEvaluator, type EngineEvaluatorOptions } from "./engine-evaluator.ts";
export { defaultLimits } from "./limits.ts";
export type { OperatorProfile } from "./operator-profile.ts";
export { allFeatures, featuresOf, noFeatures, type Features } from "./features.ts";
