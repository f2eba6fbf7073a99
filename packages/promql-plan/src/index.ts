export {
  arithmetic,
  comparisons,
  isArithmetic,
  isComparison,
  type ArithmeticOperator,
  type ComparisonOperator,
} from "./float-arithmetic.ts";
export { distributePlan, type DistributionOptions, type Piece, type PlanPartition } from "./distributed-plan.ts";
export { formatPlan } from "./format-plan.ts";
export { joinAggregates, type JoinOptions } from "./joint-aggregates.ts";
export { markHistogramStatistics } from "./histogram-statistics.ts";
export {
  planType,
  stepCountOf,
  type AggregateNode,
  type BinaryNode,
  type CallNode,
  type JointPlace,
  type OnePassOperator,
  type PlanNode,
  type RemoteNode,
  type SelectNode,
  type StepGrid,
  type SubqueryNode,
  type WindowNode,
} from "./plan-node.ts";
export { gridOf, planQuery, type PlanFailure, type QueryWindow } from "./plan-query.ts";
export { foldConstants, mapInputs, mapPlan, simplifyMatchers } from "./rewrites.ts";
