/** Reads the fleet file that a command was given, and plans it. */
import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  formatFleetFailure,
  formatFleetProblemWithExcerpt,
  planFleet,
  readFleet,
  type FleetFailure,
  type Plan,
} from "@pleiad/fleet";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

export const defaultFleetFile = fileURLToPath(new URL("../../../fleets/seven-nodes.yaml", import.meta.url));

/** What a command says in place of the file. */
export interface PlanChanges {
  readonly historyMs?: number;
}

/** Throws CommandFailure with every problem of the file, one a line. */
export function loadPlan(file: string | undefined, { historyMs }: PlanChanges = {}): Plan {
  const path = resolve(file ?? defaultFleetFile);
  const shown = relative(process.cwd(), path);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : `cannot be read (${code ?? "unknown"})`;
    throw new CommandFailure(exitCodes.badInput, `${shown}: ${reason}`);
  }
  const fleet = readFleet(text, shown.startsWith("..") ? path : shown);
  if (!fleet.ok) throw asFailure(fleet.failure);
  const { twin } = fleet.value;
  const plan = planFleet({ ...fleet.value, twin: { ...twin, historyMs: historyMs ?? twin.historyMs } });
  if (!plan.ok) throw asFailure(plan.failure);
  return plan.value;
}

function asFailure(failure: FleetFailure): CommandFailure {
  // A person sees the line of the file below each message; a script reads one line a problem.
  const text = process.stderr.isTTY
    ? failure.problems.map(formatFleetProblemWithExcerpt).join("\n")
    : formatFleetFailure(failure);
  return new CommandFailure(exitCodes.badInput, text);
}
