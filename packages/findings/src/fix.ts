/**
 * The corrected file: the edits of all findings made in its text. Some corrections bring others to light, and so it looks
 * again until nothing more is to be done.
 */
import { fail, ok, type Result } from "@pleiad/model";
import { applyEdits, planFleet, readFleet, type FleetFailure } from "@pleiad/fleet";
import type { Finding } from "./finding.ts";
import { lintFleet } from "./lint.ts";

export interface FixedFleet {
  readonly text: string;
  readonly fixed: readonly Finding[]; // as they were found, the first round first
  readonly left: readonly Finding[]; // of the corrected file
}

export type FixFailure =
  | FleetFailure // the file as given cannot be read or planned
  | { readonly kind: "does-not-fit"; readonly text: string; readonly failure: FleetFailure };

/** Rounds after which edits that call for each other are given up: far more than any file needs. */
const roundsMax = 8;

/** Corrects what rules know to correct. Fails where the file, or what would come out, has no plan. */
export function fixFleet(text: string, fileName: string): Result<FixedFleet, FixFailure> {
  const fixed: Finding[] = [];
  let current = text;
  for (let round = 0; ; round++) {
    const findings = findingsOf(current, fileName);
    if (!findings.ok) {
      return fail(round === 0 ? findings.failure : { kind: "does-not-fit", text: current, failure: findings.failure });
    }
    const fixable = findings.value.filter(({ edits, accepted }) => edits.length > 0 && accepted === undefined);
    const next =
      fixable.length === 0
        ? current
        : applyEdits(
            current,
            fixable.flatMap(({ edits }) => edits),
          );
    if (next === current || round === roundsMax) return ok({ text: current, fixed, left: findings.value });
    fixed.push(...fixable);
    current = next;
  }
}

function findingsOf(text: string, fileName: string): Result<readonly Finding[], FleetFailure> {
  const fleet = readFleet(text, fileName);
  if (!fleet.ok) return fleet;
  const plan = planFleet(fleet.value);
  if (!plan.ok) return plan;
  return ok(lintFleet({ fleet: fleet.value, plan: plan.value }));
}
