/** Reads the fleet file that a command was given, and plans it. */
import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  formatFleetFailure,
  formatFleetProblemWithExcerpt,
  planFleet,
  readFleet,
  type Fleet,
  type FleetFailure,
  type Plan,
  type PlanOptions,
  type ReadFleetOptions,
} from "@pleiad/fleet";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

export const defaultFleetFile = fileURLToPath(new URL("../../../fleets/seven-nodes.yaml", import.meta.url));

/** What a command says in place of the file. */
export interface PlanChanges {
  readonly historyMs?: number;
}

/** Where the file is, and how messages name it. */
export function resolveFleetFile(file: string | undefined): { readonly path: string; readonly shown: string } {
  const path = resolve(file ?? defaultFleetFile);
  const shown = relative(process.cwd(), path);
  return { path, shown: shown.startsWith("..") ? path : shown };
}

/** Throws CommandFailure with every problem of the file, one a line. */
export function loadFleet(file: string | undefined, options: ReadFleetOptions = {}): Fleet {
  const { path, shown } = resolveFleetFile(file);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : `cannot be read (${code ?? "unknown"})`;
    throw new CommandFailure(exitCodes.badInput, `${shown}: ${reason}`);
  }
  const fleet = readFleet(text, shown, options);
  if (!fleet.ok) throw asFailure(fleet.failure);
  return fleet.value;
}

/** The same for what the fleet cannot be planned for. */
export function planOf(fleet: Fleet, options: PlanOptions = {}): Plan {
  const plan = planFleet(fleet, options);
  if (!plan.ok) throw asFailure(plan.failure);
  return plan.value;
}

export function loadPlan(file: string | undefined, { historyMs }: PlanChanges = {}): Plan {
  const fleet = loadFleet(file);
  return planOf({ ...fleet, twin: { ...fleet.twin, historyMs: historyMs ?? fleet.twin.historyMs } });
}

function asFailure(failure: FleetFailure): CommandFailure {
  // A person sees the line of the file below each message; a script reads one line a problem.
  const text = process.stderr.isTTY
    ? failure.problems.map(formatFleetProblemWithExcerpt).join("\n")
    : formatFleetFailure(failure);
  return new CommandFailure(exitCodes.badInput, text);
}
