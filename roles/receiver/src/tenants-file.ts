/** The file that tells a receiver's tenants: the external labels of each, and its limits. Read anew while it runs. */
import { fail, labelsFromRecord, labelsKey, ok, type Labels, type Result } from "@pleiad/model";
import { parse } from "yaml";

/** What one tenant may do. */
export interface TenantLimits {
  readonly seriesMax: number; // in its head; more are refused, those that are there go on
  readonly requestBytesMax: number; // of a request as it is sent; over it, 413
  readonly concurrentMax: number; // requests at once; more wait
  readonly waitingMax: number; // more are told to come back, by 429
}

export const defaultTenantLimits: TenantLimits = {
  seriesMax: 1_000_000,
  requestBytesMax: 16 * 1024 * 1024,
  concurrentMax: 64,
  waitingMax: 256,
};

export interface TenantRule {
  /** Undefined where the tenant's name is its label. */
  readonly labels: Labels | undefined;
  readonly limits: Partial<TenantLimits>;
}

export interface TenantRules {
  readonly tenants: ReadonlyMap<string, TenantRule>;
  /** For those that are not in the file, and for what a tenant's own rule leaves open. */
  readonly limits: Partial<TenantLimits>;
  /** Whether a tenant that is not in the file is taken. */
  readonly takesOthers: boolean;
}

export const noTenantRules: TenantRules = { tenants: new Map(), limits: {}, takesOthers: true };

/** Names of folders: nothing that could lead elsewhere. */
export function isTenantName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(name);
}

const limitNames: Readonly<Record<string, keyof TenantLimits>> = {
  series: "seriesMax",
  request_bytes: "requestBytesMax",
  concurrent_requests: "concurrentMax",
  waiting_requests: "waitingMax",
};

/** Checks what the file says; the failure has every problem, by its place. */
export function parseTenants(text: string): Result<TenantRules, readonly string[]> {
  let file: unknown;
  try {
    file = parse(text);
  } catch (error) {
    return fail([error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)]);
  }
  const problems: string[] = [];
  const fields = recordOf(file ?? {}, "the file", problems);
  refuseOthers(fields, ["tenants", "limits", "other_tenants"], "", problems);
  const others = fields["other_tenants"] ?? "accept";
  if (others !== "accept" && others !== "refuse") problems.push("other_tenants: expected accept or refuse");
  const tenants = new Map<string, TenantRule>();
  const named = recordOf(fields["tenants"] ?? {}, "tenants", problems);
  for (const [name, value] of Object.entries(named)) {
    if (!isTenantName(name)) problems.push(`tenants: ${JSON.stringify(name)} is no name: letters, digits, - _ .`);
    tenants.set(name, ruleOf(value ?? {}, `tenants.${name}`, problems));
  }
  problems.push(...sharedLabels(tenants));
  const limits = limitsOf(fields["limits"], "limits", problems);
  return problems.length > 0 ? fail(problems) : ok({ tenants, limits, takesOthers: others === "accept" });
}

function ruleOf(value: unknown, place: string, problems: string[]): TenantRule {
  const fields = recordOf(value, place, problems);
  refuseOthers(fields, ["labels", "limits"], `${place}.`, problems);
  const limits = limitsOf(fields["limits"], `${place}.limits`, problems);
  if (fields["labels"] === undefined) return { labels: undefined, limits };
  const texts = recordOf(fields["labels"], `${place}.labels`, problems);
  const labels = labelsFromRecord(
    Object.fromEntries(
      Object.entries(texts).map(([name, text]) => {
        const isText = typeof text === "string" || typeof text === "number" || typeof text === "boolean";
        if (!isText || text === "") problems.push(`${place}.labels.${name}: expected a text`);
        if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) problems.push(`${place}.labels: ${name} is no label name`);
        return [name, String(text)];
      }),
    ),
  );
  if (labels.length === 0) problems.push(`${place}.labels: is empty; blocks of a bucket are told apart by them`);
  return { labels, limits };
}

/** Two tenants of the same labels would be one stream of blocks that overlap. */
function sharedLabels(tenants: ReadonlyMap<string, TenantRule>): readonly string[] {
  const owners = new Map<string, string>();
  const problems: string[] = [];
  for (const [name, { labels }] of tenants) {
    if (labels === undefined) continue;
    const key = labelsKey(labels);
    const owner = owners.get(key);
    if (owner !== undefined) problems.push(`tenants.${name}.labels: are those of ${owner}`);
    else owners.set(key, name);
  }
  return problems;
}

function limitsOf(value: unknown, place: string, problems: string[]): Partial<TenantLimits> {
  const limits: Partial<Record<keyof TenantLimits, number>> = {};
  for (const [name, number] of Object.entries(recordOf(value ?? {}, place, problems))) {
    const key = limitNames[name];
    if (key === undefined) problems.push(`${place}.${name}: is not known; ${Object.keys(limitNames).join(", ")} are`);
    else if (typeof number !== "number" || !Number.isInteger(number) || number < 1) {
      problems.push(`${place}.${name}: expected a whole number above 0`);
    } else limits[key] = number;
  }
  return limits;
}

function refuseOthers(
  fields: Readonly<Record<string, unknown>>,
  known: readonly string[],
  place: string,
  problems: string[],
): void {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) problems.push(`${place}${name}: is not known; ${known.join(", ")} are`);
  }
}

function recordOf(value: unknown, place: string, problems: string[]): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  problems.push(`${place}: expected names with values`);
  return {};
}
