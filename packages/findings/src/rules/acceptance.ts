/** Findings that the file says people live with, and that are none any more. */
import type { FindingRule } from "../finding-rule.ts";
import { isAccepted } from "../acceptance.ts";

export const acceptanceRules: readonly FindingRule[] = [
  {
    code: "acceptance-without-finding",
    severity: "low",
    title: "A finding is accepted that is not there.",
    why: "What was accepted has been corrected, or its code or path is misspelt. Were the same found again one day, nobody would be told.",
    find: ({ fleet, found }) =>
      fleet.accepted.flatMap((acceptance, i) =>
        found.some((one) => isAccepted(acceptance, one))
          ? []
          : [
              {
                path: ["accept", i],
                found: `nothing is found of ${acceptance.finding}${acceptance.at === undefined ? "" : ` at ${acceptance.at}`}`,
                instead: "no such entry of accept, or the code and path that pleiad lint prints",
              },
            ],
      ),
  },
];
