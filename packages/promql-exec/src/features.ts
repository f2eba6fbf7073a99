/** What Prometheus calls experimental and switches on by name. */
import { fail, ok, type Result } from "@pleiad/model";

export interface Features {
  readonly experimentalFunctions: boolean;
  readonly extendedRangeSelectors: boolean;
  readonly fillModifiers: boolean;
  /** Metric names are dropped at the end of a query, not by the operation that drops them: see `name-drops.ts`. */
  readonly delayedNameRemoval: boolean;
  /** `rate` and its family, and `resets`, see by start timestamps too where a counter began anew. */
  readonly startTimestamps: boolean;
}

export const noFeatures: Features = {
  experimentalFunctions: false,
  extendedRangeSelectors: false,
  fillModifiers: false,
  delayedNameRemoval: false,
  startTimestamps: false,
};

export const allFeatures: Features = {
  experimentalFunctions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
  delayedNameRemoval: true,
  startTimestamps: true,
};

const featureNames: ReadonlyMap<string, keyof Features> = new Map([
  ["promql-experimental-functions", "experimentalFunctions"],
  ["promql-extended-range-selectors", "extendedRangeSelectors"],
  ["promql-binop-fill-modifiers", "fillModifiers"],
  ["promql-delayed-name-removal", "delayedNameRemoval"],
  ["use-start-timestamps", "startTimestamps"],
]);

/** Those that are named, as after Prometheus's `--enable-feature`; a failure tells the names that there are. */
export function featuresOf(names: readonly string[]): Result<Features, string> {
  let features = noFeatures;
  for (const name of names) {
    const feature = featureNames.get(name);
    if (feature === undefined) {
      return fail(`no feature ${JSON.stringify(name)}; there are ${[...featureNames.keys()].join(", ")}`);
    }
    features = { ...features, [feature]: true };
  }
  return ok(features);
}

/** The names of those that are on, in a fixed order. */
export function featureNamesOf(features: Features): readonly string[] {
  return [...featureNames].filter(([, feature]) => features[feature]).map(([name]) => name);
}
