/** Which of a deployment's folders a command is about. */
import { applyWaves, type ApplyStep } from "@pleiad/manifests";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

export interface StepSelection {
  readonly only: readonly string[]; // folders or waves; empty = all
  readonly except: readonly string[];
}

/** Throws CommandFailure where a name is neither a folder nor a wave, or nothing is left. */
export function selectSteps(steps: readonly ApplyStep[], { only, except }: StepSelection): readonly ApplyStep[] {
  const known = new Set<string>([...applyWaves, ...steps.map(({ folder }) => folder)]);
  const unknown = [...only, ...except].map(withoutSlash).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new CommandFailure(exitCodes.badInput, `neither a rendered folder nor a wave: ${unknown.join(", ")}`);
  }
  const names = ({ wave, folder }: ApplyStep, list: readonly string[]) =>
    list.map(withoutSlash).some((name) => name === wave || name === folder);
  const selected = steps.filter((step) => (only.length === 0 || names(step, only)) && !names(step, except));
  if (selected.length === 0) throw new CommandFailure(exitCodes.badInput, "no folder is left to apply");
  return selected;
}

/** As a shell completes them. */
function withoutSlash(name: string): string {
  return name.replace(/\/$/, "");
}
