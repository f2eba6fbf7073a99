/** The functions of PromQL as Prometheus 3.14 has them: what each takes and gives. */
import type { FunctionSignature, ValueType } from "./ast.ts";

/** Functions that take and give the same, names separated by blanks. */
interface Family {
  readonly names: string;
  readonly argumentTypes: readonly ValueType[];
  readonly returnType: ValueType;
  readonly variadic?: number;
}

const stable: readonly Family[] = [
  {
    names: `abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count
      histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad sgn sin sinh sort sort_desc sqrt tan tanh
      timestamp`,
    argumentTypes: ["vector"],
    returnType: "vector",
  },
  {
    names: `absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate
      last_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time
      sum_over_time`,
    argumentTypes: ["matrix"],
    returnType: "vector",
  },
  {
    names: "day_of_month day_of_week day_of_year days_in_month hour minute month year",
    argumentTypes: ["vector"],
    returnType: "vector",
    variadic: 1,
  },
  { names: "pi time", argumentTypes: [], returnType: "scalar" },
  { names: "scalar", argumentTypes: ["vector"], returnType: "scalar" },
  { names: "vector", argumentTypes: ["scalar"], returnType: "vector" },
  { names: "clamp", argumentTypes: ["vector", "scalar", "scalar"], returnType: "vector" },
  { names: "clamp_max clamp_min", argumentTypes: ["vector", "scalar"], returnType: "vector" },
  { names: "round", argumentTypes: ["vector", "scalar"], returnType: "vector", variadic: 1 },
  { names: "predict_linear", argumentTypes: ["matrix", "scalar"], returnType: "vector" },
  { names: "quantile_over_time", argumentTypes: ["scalar", "matrix"], returnType: "vector" },
  { names: "histogram_quantile", argumentTypes: ["scalar", "vector"], returnType: "vector" },
  { names: "histogram_fraction", argumentTypes: ["scalar", "scalar", "vector"], returnType: "vector" },
  {
    names: "label_replace",
    argumentTypes: ["vector", "string", "string", "string", "string"],
    returnType: "vector",
  },
  { names: "label_join", argumentTypes: ["vector", "string", "string", "string"], returnType: "vector", variadic: -1 },
];

const experimental: readonly Family[] = [
  { names: "end range start step", argumentTypes: [], returnType: "scalar" },
  { names: "max_of min_of", argumentTypes: ["scalar", "scalar"], returnType: "scalar" },
  {
    names: "mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time",
    argumentTypes: ["matrix"],
    returnType: "vector",
  },
  { names: "start_timestamp", argumentTypes: ["vector"], returnType: "vector" },
  { names: "info", argumentTypes: ["vector", "vector"], returnType: "vector", variadic: 1 },
  {
    names: "sort_by_label sort_by_label_desc",
    argumentTypes: ["vector", "string"],
    returnType: "vector",
    variadic: -1,
  },
  {
    names: "histogram_quantiles",
    argumentTypes: ["vector", "string", "scalar", "scalar"],
    returnType: "vector",
    variadic: 9,
  },
  { names: "double_exponential_smoothing", argumentTypes: ["matrix", "scalar", "scalar"], returnType: "vector" },
];

/** All functions by name. */
export const functionSignatures: ReadonlyMap<string, FunctionSignature> = new Map(
  [
    ...stable.flatMap((family) => signaturesOf(family, false)),
    ...experimental.flatMap((family) => signaturesOf(family, true)),
  ].map((signature) => [signature.name, signature]),
);

function signaturesOf(family: Family, experimental: boolean): readonly FunctionSignature[] {
  const { names, argumentTypes, returnType, variadic = 0 } = family;
  return names.split(/\s+/).map((name) => ({ name, argumentTypes, variadic, returnType, experimental }));
}
