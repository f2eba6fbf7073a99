/** A process of its own that holds every object of a rendered folder against strict schemas: `FOLDER KUBERNETES-VERSION`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { objectsOf, schemasOf } from "../packages/manifests/src/rendered-fleet.fixtures.ts";

/** What it prints, as JSON. */
export interface ValidationReport {
  readonly objects: number;
  readonly faults: readonly string[];
  readonly residentBytesPeak: number;
}

const [folder = "", version = ""] = process.argv.slice(2);
const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".yaml"));
const objects = objectsOf(new Map(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")])));
const schemas = schemasOf(version);
const report: ValidationReport = {
  objects: objects.length,
  faults: objects.flatMap(({ path, object }) => schemas.check(object).map((fault) => `${path}: ${fault}`)),
  residentBytesPeak: process.resourceUsage().maxRSS * 1024,
};
process.stdout.write(JSON.stringify(report));
