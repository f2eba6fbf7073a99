export { formatAmount } from "./amount.ts";
export type { Definition, Engine, FigureDefinition, InputDefinition, Level, Unit } from "./definition.ts";
export {
  defaultExplanation,
  explainFigure,
  figureToData,
  type ExplanationOptions,
  type Figure,
  type FigureData,
  type Origin,
} from "./figure.ts";
export { readMeasured, type Measured } from "./measured.ts";
export {
  capacityModel,
  definitions,
  figureNames,
  scopesAt,
  type CapacityModel,
  type CapacityScope,
  type Given,
  type LoadScope,
} from "./model.ts";
