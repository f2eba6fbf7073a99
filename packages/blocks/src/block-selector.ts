/**
 * Which blocks of a bucket are one process's: Thanos's `selector.relabel-config` over their external labels, and a range of
 * time. So compactors and store gateways share a bucket.
 */
import { compileMatcher, fail, ok, unreachable, type Result } from "@pleiad/model";
import type { BlockMeta } from "./block-meta.ts";
import { md5 } from "./md5.ts";

/** One relabelling rule; what Prometheus allows beyond these three actions makes no sense for blocks. */
export type SelectorRule =
  | {
      readonly action: "keep" | "drop";
      readonly sourceLabels: readonly string[];
      readonly separator: string; // ";" as a rule
      readonly regex: string; // anchored
    }
  | {
      readonly action: "hashmod";
      readonly sourceLabels: readonly string[];
      readonly separator: string;
      readonly modulus: number;
      readonly targetLabel: string;
    };

export interface BlockSelectorOptions {
  /** Applied in order; a block is selected if none drops it. */
  readonly rules: readonly SelectorRule[];
  /** Only blocks with samples in [minTimeMs, maxTimeMs]; undefined: no bound. */
  readonly minTimeMs: number | undefined;
  readonly maxTimeMs: number | undefined;
}

export type BlockSelector = (meta: BlockMeta) => boolean;

/** Holds the block's ULID while the rules run, so that blocks of one stream can be spread. */
const blockIdLabel = "__block_id";

/** The failure names the rule and what is wrong with it. */
export function compileBlockSelector({
  rules,
  minTimeMs = -Infinity,
  maxTimeMs = Infinity,
}: BlockSelectorOptions): Result<BlockSelector, string> {
  if (minTimeMs > maxTimeMs) return fail(`the range of time ends (${maxTimeMs}) before it begins (${minTimeMs})`);
  const steps: ((labels: Map<string, string>) => boolean)[] = [];
  for (const [i, rule] of rules.entries()) {
    const step = compileRule(rule);
    if (!step.ok) return fail(`rule ${i + 1} (${rule.action}): ${step.failure}`);
    steps.push(step.value);
  }
  return ok((meta) => {
    if (meta.maxTimeMs <= minTimeMs || meta.minTimeMs > maxTimeMs) return false;
    const labels = new Map([...Object.entries(meta.thanos?.labels ?? {}), [blockIdLabel, meta.ulid]]);
    return steps.every((step) => step(labels));
  });
}

/** A function that says whether labels stay, and may add one. */
function compileRule(rule: SelectorRule): Result<(labels: Map<string, string>) => boolean, string> {
  const textOf = (labels: ReadonlyMap<string, string>) =>
    rule.sourceLabels.map((name) => labels.get(name) ?? "").join(rule.separator);
  switch (rule.action) {
    case "keep":
    case "drop": {
      const matches = compileMatcher({ type: "=~", name: "", value: rule.regex });
      if (!matches.ok) return fail(`${JSON.stringify(rule.regex)} is no regular expression`);
      const isKeep = rule.action === "keep";
      return ok((labels) => matches.value(textOf(labels)) === isKeep);
    }
    case "hashmod": {
      const { modulus, targetLabel } = rule;
      if (!Number.isSafeInteger(modulus) || modulus < 1) return fail(`the modulus must be 1 or more: ${modulus}`);
      if (targetLabel === "") return fail("the target label has no name");
      return ok((labels) => {
        const digest = md5(new TextEncoder().encode(textOf(labels)));
        const hash = new DataView(digest.buffer).getBigUint64(8);
        labels.set(targetLabel, String(hash % BigInt(modulus)));
        return true;
      });
    }
    default:
      return unreachable(rule);
  }
}
