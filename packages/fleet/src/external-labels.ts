/** External labels: texts with placeholders such as `${cluster}`, filled in for every cluster. */
import { compareText } from "@pleiad/model";
import type { Path } from "./fleet-source.ts";
import type { Mismatch } from "./problems.ts";
import type { ProblemLog } from "./problem-log.ts";

export type LabelScheme = Readonly<Record<string, string>>;

export const clusterPlaceholders = ["cluster", "group", "region", "replica"] as const;

const placeholder = /\$\{([a-z]+)\}/g;

/** Checks names and placeholders of a scheme at `path`. */
export function checkLabelScheme(scheme: LabelScheme, known: readonly string[], path: Path, log: ProblemLog): void {
  for (const [name, text] of Object.entries(scheme)) {
    const wrong = labelNameMismatch(name) ?? ownLabelMismatch(name);
    if (wrong !== undefined) log.atKey([...path, name], { ...wrong, found: JSON.stringify(name) });
    if (text === "") {
      log.atValue([...path, name], {
        code: "RANGE",
        expected: "a text of at least 1 character",
        found: '""',
        hint: "an empty label is the same as none",
      });
    }
    const unknown = text
      .replace(placeholder, (whole, key: string) => (known.includes(key) ? "" : whole))
      .match(/\$[({][^)}]*[)}]?/);
    if (unknown === null) continue;
    log.atValue([...path, name], {
      code: "UNEXPANDED_VAR",
      expected: `text with no placeholders but ${known.map((key) => `\${${key}}`).join(", ")}`,
      found: JSON.stringify(unknown[0]),
      hint: "it would be the same text on every replica",
    });
  }
}

export function labelNameMismatch(name: string): Mismatch | undefined {
  if (name.startsWith("__"))
    return { code: "LABEL_NAME", expected: "a label name that does not start with __", hint: "__ is reserved" };
  if (/^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/.test(name)) return undefined;
  return { code: "LABEL_NAME", expected: "a label name of a-z, A-Z, 0-9 and _, not starting with a digit" };
}

/** An external label takes the place of one that a series has itself: of these every series of a kind has one. */
const ownLabels: ReadonlySet<string> = new Set(["job", "instance", "le", "quantile"]);

function ownLabelMismatch(name: string): Mismatch | undefined {
  if (!ownLabels.has(name)) return undefined;
  return {
    code: "LABEL_NAME",
    expected: "a label name that series do not have themselves",
    hint: "it would replace the label of every series",
  };
}

/** The labels of one cluster or agent, sorted by name. Placeholders without a value stay as they are. */
export function expandLabels(scheme: LabelScheme, values: Readonly<Record<string, string>>): Record<string, string> {
  const names = Object.keys(scheme).sort(compareText);
  return Object.fromEntries(
    names.map((name) => {
      const text = scheme[name] ?? "";
      return [name, text.replace(placeholder, (whole, key: string) => values[key] ?? whole)];
    }),
  );
}
