/** Issues of the schema as problems of the file: what was expected comes from the schema, what was found from the file. */
import { unreachable } from "@pleiad/model";
import type * as z from "zod";
import { fleetFileSchema, fleetJsonSchema, schemaAt, type SchemaNode } from "./fleet-schema.ts";
import { keyPlace, pathText, valuePlace, type FleetSource, type Path } from "./fleet-source.ts";
import { didYouMean } from "./name-order.ts";
import { maskCredentials, problemAtPlace, type FleetProblem, type Mismatch } from "./problems.ts";

/** Checks a value against the schema; problems stand at the value, unknown keys at the key itself. */
export function checkShape(
  value: unknown,
  source: FleetSource,
): { readonly file: z.output<typeof fleetFileSchema> | undefined; readonly problems: readonly FleetProblem[] } {
  const parsed = fleetFileSchema.safeParse(value);
  if (parsed.success) return { file: parsed.data, problems: [] };
  const schema = fleetJsonSchema() as SchemaNode;
  return {
    file: undefined,
    problems: parsed.error.issues.flatMap((issue) => problemsOf(issue, value, schema, source)),
  };
}

function problemsOf(issue: z.core.$ZodIssue, value: unknown, schema: SchemaNode, source: FleetSource): FleetProblem[] {
  const path = issue.path.filter((step) => typeof step !== "symbol");
  const found = valueAt(value, path);
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(schemaAt(schema, path)?.properties ?? {});
    return issue.keys.map((key) => unknownKey([...path, key], known, source));
  }
  if (found === undefined) return [missingKey(path, expectedText(schemaAt(schema, path)), source)];
  const problem = (mismatch: Mismatch) => [
    problemAtPlace(source, valuePlace(source, path), pathText(path), {
      ...mismatch,
      found: mismatch.found ?? foundText(found),
    }),
  ];
  const node = schemaAt(schema, path);
  switch (issue.code) {
    case "custom":
      return problem(issue.params as unknown as Mismatch);
    case "invalid_type":
      return problem({
        code: typeof found === "number" && node?.type === "integer" ? "RANGE" : "TYPE",
        expected: expectedText(node),
        hint: typeHint(found, node),
      });
    case "too_small":
    case "too_big":
      return problem({ code: "RANGE", expected: expectedText(node), found: amountText(found) });
    case "invalid_value":
      return problem(choiceMismatch(path, found, node));
    case "invalid_key":
    case "invalid_format":
    case "invalid_union":
    case "invalid_element":
    case "not_multiple_of":
      // The schema has no such check; what it cannot give must still not pass unseen.
      return problem({ code: "TYPE", expected: expectedText(node) });
    default:
      return unreachable(issue);
  }
}

function unknownKey(path: Path, known: readonly string[], source: FleetSource): FleetProblem {
  return problemAtPlace(source, keyPlace(source, path), pathText(path), {
    code: "KEY_UNKNOWN",
    expected: `one of the keys ${known.join(", ")}`,
    found: foundText(path[path.length - 1]),
    hint: unknownKeyHint(path, known),
  });
}

function unknownKeyHint(path: Path, known: readonly string[]): string | undefined {
  const key = String(path[path.length - 1]);
  if (key === "<<") return "merge keys are not part of YAML 1.2";
  if (key === "on" && String(path[1]).startsWith("regional-"))
    return "a region's roles are pinned by regions.<name>.on";
  return didYouMean(key, known);
}

function missingKey(path: Path, expected: string, source: FleetSource): FleetProblem {
  const key = String(path[path.length - 1]);
  return problemAtPlace(source, keyPlace(source, path), pathText(path), {
    code: "KEY_MISSING",
    expected: `the key ${JSON.stringify(key)}: ${expected}`,
    found: "none",
  });
}

function choiceMismatch(path: Path, found: unknown, node: SchemaNode | undefined): Mismatch {
  const choices = (node?.enum ?? [node?.const]).map(String);
  const isVersion = pathText(path) === "version";
  return {
    code: isVersion ? "VERSION_UNKNOWN" : "CHOICE",
    expected: choices.length === 1 ? choices.join("") : `one of ${choices.join(", ")}`,
    hint: choiceHint(found, choices) ?? (isVersion ? "a newer format needs a newer release" : undefined),
  };
}

function choiceHint(found: unknown, choices: readonly string[]): string | undefined {
  if (typeof found !== "string") return undefined;
  // As a text it would have been one of them: they are numbers.
  return choices.includes(found) ? "remove the quotes" : didYouMean(found, choices);
}

function typeHint(found: unknown, node: SchemaNode | undefined): string | undefined {
  if (node?.type === "string" && (typeof found === "number" || typeof found === "boolean")) return "put it in quotes";
  if (node?.type === "boolean" && typeof found === "string") {
    return /^(?:true|false)$/.test(found) ? "remove the quotes" : "YAML 1.2 reads yes, no, on and off as text";
  }
  const wantsNumber = node?.type === "integer" || node?.type === "number";
  if (wantsNumber && typeof found === "string" && /^[0-9.]+$/.test(found)) return "remove the quotes";
  return undefined;
}

/** What the schema wants, in words: "a whole number from 1 to 16". */
function expectedText(node: SchemaNode | undefined): string {
  if (node === undefined) return "a value";
  if (node.enum !== undefined) return `one of ${node.enum.join(", ")}`;
  if (node.const !== undefined) return JSON.stringify(node.const);
  const examples = node.examples === undefined ? "" : ` such as ${node.examples.join(" or ")}`;
  switch (node.type) {
    case "object":
      return "a mapping";
    case "array":
      return `a list of ${node.minItems ?? 0} to ${node.maxItems ?? "any number of"} entries`;
    case "string":
      return node.maxLength === undefined
        ? `a text${examples}`
        : `a text of ${node.minLength ?? 0} to ${node.maxLength} characters`;
    case "integer":
      return `a whole number from ${node.minimum ?? 0} to ${node.maximum ?? "any"}`;
    case "number":
      return `a number from ${node.minimum ?? 0} to ${node.maximum ?? "any"}`;
    case "boolean":
      return "true or false";
    default:
      return `a value${examples}`;
  }
}

/** What the file has, in words. Long texts are cut. */
export function foundText(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return Object.keys(value).length === 0 ? "an empty mapping" : "a mapping";
  if (typeof value === "string")
    return JSON.stringify(value.length > 60 ? `${maskCredentials(value).slice(0, 60)}…` : maskCredentials(value));
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

/** The same where the amount is what is wrong. */
function amountText(value: unknown): string {
  if (Array.isArray(value)) return String(value.length);
  return typeof value === "string" && value.length > 60 ? `${value.length} characters` : foundText(value);
}

/** The value at a path of a YAML tree; undefined where there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}
