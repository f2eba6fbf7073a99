import { readdirSync } from "node:fs";
import { planFleet, readFleet } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { countFindings, findingRules, findingsFrom, lintFleet, pageOf, type Finding } from "./index.ts";
import { exampleText, examplesOf, goodText, read } from "./page-examples.testing.ts";

const root = new URL("../../../", import.meta.url);

function findingsOf(text: string): readonly Finding[] {
  const fleet = readFleet(text, "fleet.yaml");
  if (!fleet.ok) throw new Error(JSON.stringify(fleet.failure.problems));
  const plan = planFleet(fleet.value);
  if (!plan.ok) throw new Error(JSON.stringify(plan.failure.problems));
  return lintFleet({ fleet: fleet.value, plan: plan.value });
}

/** Codes with their paths, each once. */
function codesOf(findings: readonly Finding[]): readonly string[] {
  return [...new Set(findings.map(({ code }) => code))].sort();
}

const example = (patch: string) => findingsOf(exampleText(patch));

describe("the pages of docs/findings", () => {
  it("are those of the rules, and no others", () => {
    const pages = readdirSync(new URL("docs/findings/", root)).filter((name) => name !== "README.md");
    expect(pages.sort()).toEqual(findingRules.map(({ code }) => `${code}.md`).sort());
  });

  it("are listed, each with its severity and title", () => {
    const listed = read("docs/findings/README.md").match(/^- .*$/gm) ?? [];
    const expected = findingRules.map(
      ({ code, severity, title }) => `- [${code}](${code}.md) · ${severity} · ${title}`,
    );
    expect(listed.sort()).toEqual(expected.sort());
  });

  for (const { code, severity, title, why } of findingRules) {
    describe(code, () => {
      const page = read(pageOf(code));
      const { found, instead } = examplesOf(page);

      it("says what the rule says", () => {
        expect(page.startsWith(`# ${code}\n\n**${severity}** · ${title}\n\n${why}\n`)).toBe(true);
      });

      it("has an example that it is found in, and says whether --fix corrects it", () => {
        const findings = example(found).filter((one) => one.code === code);
        expect(findings.length).toBeGreaterThan(0);
        expect(page.includes("`pleiad lint --fix` corrects it.")).toBe(findings.some(({ edits }) => edits.length > 0));
      });

      it("has an example that it is not found in", () => {
        expect(codesOf(example(instead))).not.toContain(code);
      });
    });
  }
});

describe("rules", () => {
  it("have codes in kebab-case, each once", () => {
    const codes = findingRules.map(({ code }) => code);
    expect(codes.filter((code) => !/^[a-z]+(?:-[a-z]+)*$/.test(code))).toEqual([]);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it("find nothing in a good fleet", () => {
    expect(findingsOf(goodText)).toEqual([]);
  });
});

describe("what a file accepts", () => {
  const one = "roles:\n  global-querier: { replicas: 1 }\n  grafana: { replicas: 1 }\n";
  const accept = (entries: string) => example(`${one}accept: [${entries}]\n`);
  const reasons = (findings: readonly Finding[]) =>
    findings.flatMap(({ code, path, accepted }) => (accepted === undefined ? [] : [`${code} ${path}: ${accepted}`]));

  it("is found all the same, with its reason, and counts no more", () => {
    const findings = accept('{ finding: role-without-replica, reason: "a test" }');
    expect(reasons(findings)).toEqual([
      "role-without-replica roles.global-querier: a test",
      "role-without-replica roles.grafana: a test",
    ]);
    expect(codesOf(findings)).toEqual(["role-without-replica"]);
    expect(countFindings(findings)).toEqual({ fatal: 0, high: 0, medium: 0, low: 0 });
  });

  it("may be so at one place alone", () => {
    const findings = accept('{ finding: role-without-replica, at: roles.grafana, reason: "a test" }');
    expect(reasons(findings)).toEqual(["role-without-replica roles.grafana: a test"]);
    expect(countFindings(findings)).toMatchObject({ high: 1, medium: 0 });
  });

  for (const [rule, entry] of [
    ["that is corrected", '{ finding: object-store-on-one-node, reason: "no more" }'],
    ["at another place", '{ finding: role-without-replica, at: roles.ruler, reason: "not there" }'],
    ["whose name only begins as one that is found", '{ finding: role-without-replica, at: roles.graf, reason: "no" }'],
    ["of no known code", '{ finding: role-without-replicas, reason: "misspelt" }'],
  ] as const) {
    it(`is a finding itself where it accepts one ${rule}`, () => {
      const [stale] = accept(entry).filter(({ code }) => code === "acceptance-without-finding");
      expect(stale).toMatchObject({ severity: "low", path: "accept[0]" });
    });
  }
});

describe("the design as written", () => {
  const findings = findingsOf(read("fleets/seven-nodes-as-designed.yaml"));

  // What is fatal or high in the audit of the design, with the findings that tell it.
  for (const [row, codes] of [
    ["the chart drops { name, key }: nothing is uploaded", ["sidecar-never-uploads"]],
    ["local retention of 2 h", ["retention-too-short"]],
    ["--store, which releases from 0.38 on refuse", ["flag-removed"]],
    ["regional and global queriers with different replica labels", ["replica-labels-differ"]],
    [
      "a ConfigMap is mounted under a name that nobody generates",
      ["endpoint-file-not-mounted", "endpoint-file-unreadable"],
    ],
    ["Services are referenced and never defined", ["service-not-defined"]],
    ["a plain host for two replicas: one gets all queries", ["endpoint-sticks-to-one-replica"]],
    ["the ruler and the regional stores are asked by nobody", ["role-asked-by-nobody"]],
    ["nothing exposes the sidecars", ["sidecar-not-reachable"]],
    ["no TLS on any hop between clusters", ["store-api-open"]],
    ["seven store gateways without a selector", ["stores-not-sharded"]],
    ["regions return raw series", ["regions-return-raw-series"]],
    [
      "MinIO: one replica, host path, root for everyone, latest, http, an address of one cluster alone, unmaintained",
      [
        "object-store-on-one-node",
        "object-store-on-host-path",
        "object-store-root-credentials",
        "image-not-pinned",
        "object-store-plaintext",
        "object-store-unreachable",
        "object-store-unmaintained",
      ],
    ],
    ["a single control plane on node 1", ["control-plane-on-one-node"]],
    ["both replicas of a region on one node", ["replicas-on-one-node"]],
    ["anti-affinity of a Deployment to itself: no rollout ends", ["rollout-deadlock"]],
    ["a single ruler that asks one querier", ["role-without-replica", "ruler-asks-one-querier"]],
    [
      "one compactor without a volume that starts over every 5 min",
      ["compactor-without-disk", "compactor-syncs-too-often"],
    ],
    ["no limits set", ["no-query-limits"]],
  ] as const) {
    it(row, () => {
      const serious = codesOf(findingsFrom(findings, "high"));
      expect(codes.filter((code) => !serious.includes(code))).toEqual([]);
    });
  }

  it("points at the line that is at fault", () => {
    const lines = read("fleets/seven-nodes-as-designed.yaml").split("\n");
    const marked = (code: string) =>
      findings
        .filter((one) => one.code === code)
        .map(({ line, column, length }) => lines[line - 1]?.slice(column - 1, column - 1 + length));
    expect(marked("retention-too-short")).toEqual(["2h"]);
    expect(marked("object-store-unmaintained")).toEqual(["minio"]);
    expect(marked("replicas-on-one-node")).toEqual(["on", "on", "on", "on", "on", "on"]);
    expect(marked("flag-removed")).toEqual(["--store=regional-query-a1.monitoring:10901"]);
  });

  it("the order of the file's sections changes nothing but places", () => {
    const turned = Object.fromEntries(
      Object.entries(parse(read("fleets/seven-nodes-as-designed.yaml")) as object).reverse(),
    );
    const texts = (all: readonly Finding[]) =>
      all.map(({ code, severity, path, found }) => `${code} ${severity} ${path} ${found}`).sort();
    expect(texts(findingsOf(stringify(turned)))).toEqual(texts(findings));
  });
});

describe("the corrected design", () => {
  it("has nothing fatal and nothing high", () => {
    const findings = findingsOf(read("fleets/seven-nodes.yaml"));
    expect(findingsFrom(findings, "high").map(({ code, found }) => `${code}: ${found}`)).toEqual([]);
    expect(countFindings(findings)).toMatchObject({ fatal: 0, high: 0 });
  });
});
