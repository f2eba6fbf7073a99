/** An older plan, as `pleiad plan --json` wrote it, and a fleet planned with it. */
import { readFileSync } from "node:fs";
import type { Fleet, Plan } from "@pleiad/fleet";
import { readPlanJson, type ComparedPlan } from "@pleiad/forecast";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { loadFleet, planOf } from "./fleet-input.ts";

export interface PlannedFleet {
  readonly fleet: Fleet;
  readonly plan: Plan;
}

/** The fleet file and its plan; what can stay as `previousFile` has it does. Throws CommandFailure as its parts do. */
export function loadPlannedFleet(file: string | undefined, previousFile: string | undefined): PlannedFleet {
  const previous = previousFile === undefined ? undefined : loadOlderPlan(previousFile);
  const fleet = loadFleet(file, { previous });
  return { fleet, plan: planOf(fleet, { previous }) };
}

/** Throws CommandFailure where the file is no plan. */
export function loadOlderPlan(file: string): ComparedPlan {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandFailure(exitCodes.badInput, `${file}: cannot be read (${code ?? "unknown"})`);
  }
  const plan = readPlanJson(text);
  if (plan.ok) return plan.value;
  const reason = `${file}: no plan: ${plan.failure.reason}; pleiad plan --json writes one`;
  throw new CommandFailure(exitCodes.badInput, reason);
}
