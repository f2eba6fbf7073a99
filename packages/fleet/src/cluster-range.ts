/** Cluster names written short: `cluster-{001..060}` stands for sixty names. */
import { fail, ok, type Result } from "@pleiad/model";
import type { Mismatch } from "./problems.ts";

/** The most clusters that one fleet file may name. */
export const clustersMax = 200_000;

const dnsLabel = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/** All names of one entry: of a plain name itself, of a range every name, padded with zeros as its ends are. */
export function expandClusterNames(text: string): Result<readonly string[], Mismatch> {
  if (!/[{}]/.test(text)) {
    const wrong = nameMismatch(text);
    return wrong === undefined ? ok([text]) : fail(wrong);
  }
  const parts = /^([^{}]*)\{(\d{1,12})\.\.(\d{1,12})\}([^{}]*)$/.exec(text);
  if (parts === null) {
    return fail({
      code: "RANGE_SYNTAX",
      expected: "a name such as cluster-001, or a range such as cluster-{001..060}",
      hint: "for names without a pattern write a list, one name an entry",
    });
  }
  const [, prefix = "", first = "", last = "", suffix = ""] = parts;
  const padded = /^0\d/.test(first) || /^0\d/.test(last);
  if (padded && first.length !== last.length) {
    const width = Math.max(first.length, last.length);
    return fail({
      code: "RANGE_SYNTAX",
      expected: "both ends of a zero-padded range with the same number of digits",
      hint: `write ${prefix}{${first.padStart(width, "0")}..${last.padStart(width, "0")}}${suffix}`,
    });
  }
  const from = Number(first);
  const to = Number(last);
  if (to < from) {
    return fail({
      code: "RANGE_REVERSED",
      expected: "a range that ends at or after its start",
      hint: `write ${prefix}{${last}..${first}}${suffix}`,
    });
  }
  if (to - from >= clustersMax) {
    return fail({
      code: "RANGE_HUGE",
      expected: `at most ${clustersMax} clusters`,
      found: `a range of ${to - from + 1}`,
    });
  }
  const names: string[] = [];
  for (let number = from; number <= to; number++) {
    const digits = padded ? String(number).padStart(first.length, "0") : String(number);
    names.push(`${prefix}${digits}${suffix}`);
  }
  for (const name of [names[0] ?? "", names[names.length - 1] ?? ""]) {
    const wrong = nameMismatch(name);
    if (wrong !== undefined) return fail({ ...wrong, found: `names such as ${JSON.stringify(name.slice(0, 80))}` });
  }
  return ok(names);
}

/** What is wrong with a name that has to be a DNS label; undefined where nothing is. */
export function nameMismatch(name: string): Mismatch | undefined {
  if (name.length <= 63 && dnsLabel.test(name)) return undefined;
  const mended = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return {
    code: "NAME_DNS",
    expected: "a name of a-z, 0-9 and '-', at most 63, no '-' at either end",
    hint: mended === "" ? undefined : `${JSON.stringify(mended)} would do`,
  };
}
