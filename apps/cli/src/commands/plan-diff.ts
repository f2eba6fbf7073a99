/** `pleiad plan --against old.json`: what moves, restarts and re-reads on the way from an older plan, in order. */
import type { Plan } from "@pleiad/fleet";
import { diffPlans, type ComparedPlan, type DiffStep, type PlanDiff } from "@pleiad/forecast";
import { linesOf } from "../text-lines.ts";

export function planDiffCommand(plan: Plan, before: ComparedPlan, json: boolean): void {
  const diff = diffPlans(before, plan);
  process.stdout.write(json ? `${JSON.stringify(diff, undefined, 2)}\n` : formatDiff(diff));
}

const width = 80;
const indent = " ".repeat(13);

/** Steps that may be taken together share a number and say once what to wait for. */
function formatDiff({ steps, movedRoles, movedClusters, unchangedRoles }: PlanDiff): string {
  const counts = `${movedRoles} roles move, ${movedClusters} clusters change their region, ${unchangedRoles} roles stay as they are\n`;
  if (steps.length === 0) return `nothing changes: ${unchangedRoles} roles stay as they are\n`;
  const together = Map.groupBy(steps, ({ order, action, what, note }) =>
    JSON.stringify([order, action, whatKey(what), note]),
  );
  const texts = [...together.values()].map((same) => stepText(same));
  return `${texts.join("")}\n${counts}`;
}

/** What differs from one step to the next, such as where a role comes from, is printed with each. */
function whatKey(what: string): string {
  return /^(?:on|from) /.test(what) ? "" : what;
}

function stepText(same: readonly DiffStep[]): string {
  const [first] = same;
  if (first === undefined) return "";
  const { order, action, what, note } = first;
  const isShared = whatKey(what) !== "";
  const subjects = same.map((step) => (isShared ? step.subject : `${step.subject} ${step.what}`)).join(", ");
  const text = isShared ? `${subjects}: ${what}` : subjects;
  const lines = linesOf(text, width - indent.length);
  const notes = note === "" ? [] : linesOf(note, width - indent.length - 2).map((line) => `  ${line}`);
  const head = `${String(order).padStart(3)}  ${action.padEnd(8)}`;
  return [...lines, ...notes].map((line, i) => `${i === 0 ? head : indent}${line}\n`).join("");
}
