/** The planning commands as a shell sees them: what is printed, what is written, how they end. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "pleiad-planning-"));
afterAll(() => rmSync(folder, { recursive: true }));

function pleiad(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["apps/cli/src/main.ts", ...args], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const designed = "fleets/seven-nodes-as-designed.yaml";

describe("pleiad lint", () => {
  it("ends with 3 where something is high or worse, and with 0 where the caller only wants to read", () => {
    const { status, stdout } = pleiad("lint", designed, "--severity", "fatal");
    expect([status, stdout.split("\n").at(-2)]).toEqual([3, "3 findings: 3 fatal"]);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(pleiad("lint", designed, "--fail-on", "none").status).toBe(0);
  });

  it("--fix writes the corrected file, which has nothing high any more", () => {
    const file = join(folder, "fleet.yaml");
    copyFileSync(join(root, designed), file);
    const { status, stderr } = pleiad("lint", file, "--fix");
    expect(stderr).toMatch(/fleet\.yaml: \d+ findings corrected\n/);
    expect(status).toBe(0);
    expect(readFileSync(file, "utf8")).toContain("retention: 72h");
    const { counts } = JSON.parse(pleiad("lint", file, "--json").stdout) as { counts: Record<string, number> };
    expect(counts).toMatchObject({ fatal: 0, high: 0 });
  });

  it("lists what the file accepts, and does not fail for it", () => {
    const { status, stdout } = pleiad("lint", "fleets/laptop.yaml");
    expect(stdout).toMatch(/^high {4}\S+ {2}object-store-on-one-node\n {8}.*\n {8}accepted: /m);
    expect([status, stdout.split("\n").at(-2)]).toEqual([0, "no findings, 1 accepted"]);
    const log = JSON.parse(pleiad("lint", "fleets/laptop.yaml", "--format", "sarif").stdout) as {
      runs: { results: { suppressions?: { kind: string }[] }[] }[];
    };
    expect(log.runs[0]?.results.map(({ suppressions }) => suppressions?.[0]?.kind)).toEqual(["inSource"]);
    const file = join(folder, "accepted.yaml");
    copyFileSync(join(root, "fleets/laptop.yaml"), file);
    expect(pleiad("lint", file, "--fix").status).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(readFileSync(join(root, "fleets/laptop.yaml"), "utf8"));
  });

  it("writes SARIF with a rule for every code that it reports", () => {
    const log = JSON.parse(pleiad("lint", designed, "--format", "sarif").stdout) as {
      runs: { tool: { driver: { rules: { id: string }[] } }; results: { ruleId: string }[] }[];
    };
    const [run] = log.runs;
    const known = new Set(run?.tool.driver.rules.map(({ id }) => id));
    expect(run?.results.length).toBeGreaterThan(40);
    expect(run?.results.filter(({ ruleId }) => !known.has(ruleId))).toEqual([]);
  });
});

describe("pleiad cost", () => {
  it("prints the table of the requirements", () => {
    const { stdout } = pleiad("cost", designed);
    expect(stdout).toMatch(/^monitoring nodes +7 +nodes +\$200\.00 +\$1,400\.00$/m);
    expect(stdout).toMatch(/^all +\$16,780\.00$/m);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

describe("measured values", () => {
  for (const [command, ...args] of [
    ["plan", "--json"],
    ["cost"],
    ["grow", "--clusters", "300"],
    ["explain", "bucket.bytes"],
  ] as const) {
    it(`change what pleiad ${command} says`, () => {
      const [file, one] = [join(folder, "sized.yaml"), join(folder, "one.yaml")];
      // Roles whose size the file says are as large as it says.
      const laptop = readFileSync(join(root, "fleets/laptop.yaml"), "utf8");
      writeFileSync(file, laptop.replace("compactor: { cpu: 1, memory: 5Gi, ", "compactor: { "));
      writeFileSync(one, "blocks.raw-bytes: 3\ncompactor.memory: 5900000000\n");
      const [plain, changed] = [pleiad(command, ...args, file), pleiad(command, ...args, file, "--measured", one)];
      expect([plain.status, changed.status]).toEqual([0, 0]);
      expect(changed.stdout).not.toBe(plain.stdout);
    });
  }

  it("twice the bytes a sample are twice the price of what is stored raw", () => {
    const storage = (...args: readonly string[]) => {
      const { lines } = JSON.parse(pleiad("cost", "--json", ...args).stdout) as {
        lines: { item: string; amount: number }[];
      };
      return lines.find(({ item }) => item === "object storage")?.amount ?? 0;
    };
    const half = join(folder, "half.yaml");
    writeFileSync(half, "blocks.raw-bytes: 0.75\nblocks.five-minute-bytes: 2.1\nblocks.one-hour-bytes: 2.6\n");
    expect(storage("--measured", half)).toBeCloseTo(storage() / 2, 6);
  });

  it("that no figure has are refused, each by its name", () => {
    const wrong = join(folder, "wrong.yaml");
    writeFileSync(wrong, "blocks.raw: 3\n");
    const { status, stderr } = pleiad("cost", "--measured", wrong);
    expect([status, stderr]).toEqual([
      2,
      `${wrong}: blocks.raw: the capacity model has no figure of that name; pleiad explain lists them\n`,
    ]);
  });
});

describe("pleiad grow", () => {
  it("compares ways to each size", () => {
    const { status, stdout } = pleiad("grow", designed, "--clusters", "300", "--rate", "60/year");
    expect(status).toBe(0);
    expect(stdout).toContain("300 CLUSTERS, in 16 months: fill, then add regions\n");
    expect(stdout).toContain("fill the regions: 4 regions with 75 clusters: 15 above the rule of 60\n");
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("refuses a size that the fleet has already", () => {
    const { status, stderr } = pleiad("grow", designed, "--clusters", "200");
    expect([status, stderr]).toEqual([2, "--clusters: 200 is not above the 220 clusters that the fleet has\n"]);
  });
});

describe("pleiad plan --against", () => {
  it("lists the steps from the older plan", () => {
    const old = join(folder, "old.json");
    writeFileSync(old, pleiad("plan", designed, "--json").stdout);
    const { stdout } = pleiad("plan", "fleets/seven-nodes.yaml", "--against", old);
    expect(stdout).toMatch(/^ +\d+ {2}move {4}regional-querier-a1-1 from node-3 to node-4\b/m);
    expect(pleiad("plan", designed, "--against", old).stdout).toMatch(
      /^nothing changes: \d+ roles stay as they are\n$/,
    );
  });

  it("keeps what can stay, and so does --previous, which prints the plan", () => {
    const [file, old] = [join(folder, "regions.yaml"), join(folder, "regions.json")];
    const text = (clusters: string) => `version: 1
name: kept
nodes:
  node-1: { tier: 1, role: any, cores: 16, memory: 64Gi, disk: 1Ti, network: 1Gbit/s }
  node-2: { tier: 1, role: any, cores: 16, memory: 64Gi, disk: 1Ti, network: 1Gbit/s }
policies: { clustersPerRegionMax: 10 }
groups: { all: { clusters: [${clusters}], series: 1k } }
roles: { global-querier: { replicas: 2 }, regional-querier: { replicas: 2, tiers: [1] } }
`;
    writeFileSync(file, text('"c-{01..35}"'));
    writeFileSync(old, pleiad("plan", file, "--json").stdout);
    // By name it comes first, and would push one cluster over each border.
    writeFileSync(file, text('"c-{01..35}", a-1'));
    const { stdout } = pleiad("plan", file, "--against", old);
    expect(stdout).toMatch(/^0 roles move, 0 clusters change their region, \d+ roles stay as they are$/m);
    const regionOf = (json: string) =>
      new Map(
        (JSON.parse(json) as { clusters: { name: string; region: string }[] }).clusters.map(
          ({ name, region }) => [name, region] as const,
        ),
      );
    const kept = regionOf(pleiad("plan", file, "--previous", old, "--json").stdout);
    expect([kept.get("a-1"), kept.get("c-10"), kept.get("c-11")]).toEqual(["region-4", "region-1", "region-2"]);
    expect(regionOf(pleiad("plan", file, "--json").stdout).get("c-10")).toBe("region-2");
  });

  it("says what is wrong with a file that is no plan", () => {
    const { status, stderr } = pleiad("plan", designed, "--against", designed);
    expect([status, stderr]).toEqual([2, `${designed}: no plan: it is no JSON; pleiad plan --json writes one\n`]);
  });
});

it("pleiad report writes a document and its charts", () => {
  const output = join(folder, "report");
  expect(pleiad("report", "fleets/laptop.yaml", "-o", output).status).toBe(0);
  expect(readdirSync(output).sort()).toEqual([
    "README.md",
    "budget-cpu.svg",
    "budget-memory.svg",
    "cost.svg",
    "growth.svg",
  ]);
});
