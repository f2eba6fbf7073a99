/** Which findings a fleet file accepts: by their code, wherever they are or at one place. */
import type { FleetAcceptance } from "@pleiad/fleet";
import type { Finding } from "./finding.ts";

/** Whether the entry is about such a finding: at its path or below it. */
export function isAccepted({ finding, at }: FleetAcceptance, { code, path }: Pick<Finding, "code" | "path">): boolean {
  if (code !== finding) return false;
  return at === undefined || path === at || path.startsWith(`${at}.`) || path.startsWith(`${at}[`);
}

/** The reason of the first entry that accepts a finding; undefined where none does. */
export function reasonToAccept(
  accepted: readonly FleetAcceptance[],
  finding: Pick<Finding, "code" | "path">,
): string | undefined {
  return accepted.find((one) => isAccepted(one, finding))?.reason;
}
