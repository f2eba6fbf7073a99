/** `pleiad schema`: the shape of fleet files as JSON Schema, for editors. */
import { fleetJsonSchema } from "@pleiad/fleet";

export function schemaCommand(): void {
  process.stdout.write(`${JSON.stringify(fleetJsonSchema(), undefined, 2)}\n`);
}
