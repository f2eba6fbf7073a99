#!/usr/bin/env node
/** The `pleiad` command: flags in, exit code out. */
import { CommanderError } from "commander";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { pleiadProgram } from "./program.ts";

// `pleiad plan | head` has read enough: no reason for a stack trace.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.done);
  throw error;
});

try {
  await (await pleiadProgram(process.argv[2])).parseAsync();
  process.exitCode ??= exitCodes.done;
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? exitCodes.done : exitCodes.badInput);
  if (error instanceof CommandFailure) {
    process.stderr.write(`${error.message}\n`);
    process.exit(error.exitCode);
  }
  throw error;
}
