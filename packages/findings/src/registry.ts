/** Every rule there is. Each has a page in docs/findings, and an example there that the tests run. */
import type { FindingRule } from "./finding-rule.ts";
import { acceptanceRules } from "./rules/acceptance.ts";
import { availabilityRules } from "./rules/availability.ts";
import { budgetRules, watchingRules } from "./rules/budgets.ts";
import { endpointRules } from "./rules/endpoints.ts";
import { loadRules } from "./rules/loads.ts";
import { objectStorageRules } from "./rules/object-storage.ts";
import { queryRules } from "./rules/queries.ts";
import { retentionRules } from "./rules/retention.ts";
import { sidecarRules } from "./rules/sidecars.ts";
import { workloadRules } from "./rules/workloads.ts";

export const findingRules: readonly FindingRule[] = [
  ...retentionRules,
  ...sidecarRules,
  ...objectStorageRules,
  ...availabilityRules,
  ...queryRules,
  ...endpointRules,
  ...workloadRules,
  ...loadRules,
  ...budgetRules,
  ...watchingRules,
  // Last: it looks at what the others found.
  ...acceptanceRules,
];
