/** What the types of Grafana's SDK say that Grafana reads: for tests of the JSON, which has no schema of its own. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The keys of an interface, by the package of the SDK that declares it. Throws where there is none. */
export function sdkKeys(sdkPackage: "dashboard" | "prometheus", type: string): readonly string[] {
  const index = import.meta.resolve(`@grafana/grafana-foundation-sdk/${sdkPackage}`);
  const text = readFileSync(fileURLToPath(new URL("types.gen.d.ts", index)), "utf8");
  const body = new RegExp(`^export interface ${type} (?:extends [\\w.]+ )?\\{\\n([\\s\\S]*?)^\\}`, "m").exec(text)?.[1];
  if (body === undefined) throw new Error(`the SDK has no ${sdkPackage}.${type}`);
  return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, key = ""]) => key);
}
