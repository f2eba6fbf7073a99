/** Rule groups in pages, as Prometheus has them since 3.0: so many groups, and a token that names the first one of the next page. */
import { createHash } from "node:crypto";
import { fail, ok, type Result, type RuleGroup } from "@pleiad/model";
import { invalidParameter, type ApiFailure } from "./envelope.ts";
import type { RequestForm } from "./request-form.ts";

export interface RulePageRequest {
  readonly groupsMax: number; // Infinity = all
  readonly token: string; // "" = from the beginning
}

export interface RulePage {
  readonly groups: readonly RuleGroup[];
  readonly nextToken: string | undefined; // undefined = there are no more
}

/** `group_limit` and `group_next_token`. */
export function readRulePage(form: RequestForm): Result<RulePageRequest, ApiFailure> {
  const limit = form.first("group_limit");
  const token = form.first("group_next_token");
  if (limit === "") {
    if (token === "") return ok({ groupsMax: Infinity, token });
    const message = "group_limit needs to be present in order to paginate over the groups";
    return fail(invalidParameter("group_next_token", message));
  }
  const groupsMax = /^[+-]?\d+$/.test(limit) ? Number(limit) : NaN;
  if (!(Math.abs(groupsMax) < 2 ** 31)) {
    return fail(invalidParameter("group_limit", `group_limit needs to be a valid number: ${JSON.stringify(limit)}`));
  }
  if (groupsMax <= 0) return fail(invalidParameter("group_limit", "group_limit needs to be greater than 0"));
  return ok({ groupsMax, token });
}

/** One page of groups, which have an order that stays; fails where the group that the token names is gone. */
export function rulePageOf(
  groups: readonly RuleGroup[],
  { groupsMax, token }: RulePageRequest,
): Result<RulePage, ApiFailure> {
  const from = token === "" ? 0 : groups.findIndex((group) => tokenOf(group) === token);
  if (from === -1) {
    const message = `invalid group_next_token '${token}'. were rule groups changed?`;
    return fail(invalidParameter("group_next_token", message));
  }
  const next = groups[from + groupsMax];
  return ok({ groups: groups.slice(from, from + groupsMax), nextToken: next && tokenOf(next) });
}

/** The same as Prometheus's, so that a page that one began another may continue. */
function tokenOf({ file, name }: RuleGroup): string {
  return createHash("sha1").update(`${file};${name}`).digest("hex");
}
