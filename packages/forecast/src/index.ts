export { costOf, type Cost, type CostComparison, type CostLine, type CostScenario } from "./cost.ts";
export { formatMoney, roundToCent } from "./money.ts";
export { brokenBounds, type BrokenBound } from "./bounds.ts";
export {
  growthOf,
  type Growth,
  type GrowthOption,
  type GrowthOptions,
  type GrowthStep,
  type GrowthWay,
  type NodeRung,
} from "./growth.ts";
export { nameRanges } from "./name-ranges.ts";
export { diffPlans, type ComparedPlan, type DiffStep, type PlanDiff, type StepAction } from "./plan-diff.ts";
export { readPlanJson, type PlanJsonFailure } from "./plan-json.ts";
export { barChart, type Bar } from "./bar-chart.ts";
export { lineChart, type Line, type LineChartOptions } from "./line-chart.ts";
export { reportOf, type ReportFile, type ReportInput } from "./report.ts";
export { topologyDiagram } from "./topology-diagram.ts";
