/** Measured values that take the place of defaults and formulas, as a file gives them. */
import { fail, ok, type Result } from "@pleiad/model";
import type { Definition } from "./definition.ts";

/** By name, or by `name@scope` where a region or a group has its own. */
export type Measured = ReadonlyMap<string, number>;

/**
 * Reads measured values: a mapping of names to numbers, or of a name to a mapping of scopes to numbers. The failure has
 * a sentence for each entry that is wrong.
 */
export function readMeasured(
  value: unknown,
  known: ReadonlyMap<string, Definition>,
): Result<Measured, readonly string[]> {
  if (!isMapping(value)) return fail(["expected a mapping of names to numbers, such as prometheus.chunk-bytes: 1.3"]);
  const measured = new Map<string, number>();
  const wrong: string[] = [];
  for (const [name, entry] of Object.entries(value)) {
    if (!known.has(name)) {
      wrong.push(`${name}: the capacity model has no figure of that name; pleiad explain lists them`);
      continue;
    }
    const entries = isMapping(entry)
      ? Object.entries(entry).map(([scope, one]) => [`${name}@${scope}`, one] as const)
      : [[name, entry] as const];
    for (const [key, one] of entries) {
      if (typeof one === "number" && Number.isFinite(one) && one >= 0) measured.set(key, one);
      else wrong.push(`${key}: expected a number from 0, found ${JSON.stringify(one)}`);
    }
  }
  return wrong.length > 0 ? fail(wrong) : ok(measured);
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
