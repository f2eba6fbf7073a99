/** What a question asks for by name: a block without such a value has no answer to it, and need not be asked. */
import { literalAlternatives, metricNameLabel, type Matcher } from "@pleiad/model";

/** A series that is wanted has one of these values. */
export interface WantedValues {
  readonly name: string;
  readonly values: readonly string[];
}

/** Of matchers that list their values; made once a query, for all blocks. What other matchers want is not known here. */
export function wantedValuesOf(matchers: readonly Matcher[]): readonly WantedValues[] {
  const wanted: WantedValues[] = [];
  for (const { type, name, value } of matchers) {
    if (type !== "=" && type !== "=~") continue;
    const values = type === "=" ? [value] : literalAlternatives(value);
    // The empty text wants series without the label, which no value shows.
    if (values === undefined || values.includes("")) continue;
    // Most blocks have the metric: what tells them apart is looked at first.
    if (name === metricNameLabel) wanted.push({ name, values });
    else wanted.unshift({ name, values });
  }
  return wanted;
}
