/** Reads an older plan, as `pleiad plan --json` wrote it. */
import { readFileSync } from "node:fs";
import { readPlanJson, type ComparedPlan } from "@pleiad/forecast";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

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
