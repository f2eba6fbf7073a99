/** `pleiad schema`: the shape of fleet files as JSON Schema, for editors. */
import { fleetJsonSchema } from "@pleiad/fleet";
import type { Command } from "commander";

export function addSchemaCommand(program: Command): void {
  program.command("schema").description("print the JSON Schema of fleet files, for editors").action(schemaCommand);
}

function schemaCommand(): void {
  process.stdout.write(`${JSON.stringify(fleetJsonSchema(), undefined, 2)}\n`);
}
