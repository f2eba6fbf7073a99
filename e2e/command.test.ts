/** Wrong input, as a person gives it to the command: each row reads the message. */
import { createServer, type Server } from "node:net";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { fleetFileAt, pleiad, root, temporaryFolder } from "./twin-under-test.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const shipped = readFileSync(join(root, "fleets/laptop.yaml"), "utf8");

function fleetWith(name: string, edit: (text: string) => string): string {
  const path = join(folder.path, `${name}.yaml`);
  const text = edit(shipped);
  expect(text, `the edit for ${name} changes the file`).not.toBe(shipped);
  writeFileSync(path, text);
  return path;
}

describe("a wrong fleet file ends with code 2 and says where and what", () => {
  for (const [name, edit, message] of [
    [
      "unknown field",
      (text: string) => text.replace(/^defaults:/m, "defualts:"),
      /:\d+:1: .*defualts.*did you mean.*defaults/s,
    ],
    ["wrong unit", (text: string) => text.replace(/memory: \d+Gi/, "memory: 8GB"), /:\d+:\d+: .*8GB/s],
    ["duplicate key", (text: string) => `${text}\nname: again\n`, /:\d+:1: .*name/s],
    ["over budget", (text: string) => text.replace(/cores: \d+/, "cores: 1"), /:\d+:\d+: .*cores?/s],
    [
      "region over its limit",
      (text: string) => text.replace(/clustersPerRegionMax: \d+/, "clustersPerRegionMax: 2"),
      /limit|at most/,
    ],
  ] as const) {
    it(name, async () => {
      const file = fleetWith(name.replaceAll(" ", "-"), edit);
      const { code, stderr, stdout } = await pleiad(["plan", file]);
      expect(stderr).toMatch(message);
      expect(stdout).toBe("");
      expect(code).toBe(2);
    });
  }

  it("a file that is not there", async () => {
    const { code, stderr } = await pleiad(["plan", "no-such.yaml"]);
    expect(stderr).toBe("no-such.yaml: there is no such file\n");
    expect(code).toBe(2);
  });

  it("a command that does not exist", async () => {
    const { code, stderr } = await pleiad(["plann"]);
    expect(stderr).toMatch(/unknown command 'plann'.*\n.*plan/);
    expect(code).toBe(2);
  });
});

describe("what the machine refuses ends with code 1", () => {
  it("a port that is taken is named, and nothing is left running", async () => {
    const fleet = fleetFileAt(folder.path, "laptop.yaml", 27_000);
    const { plan } = {
      plan: JSON.parse((await pleiad(["plan", fleet, "--json"])).stdout) as { roles: { httpPort?: number }[] },
    };
    const port = plan.roles.find((role) => role.httpPort !== undefined)?.httpPort as number;
    const stranger = await occupy(port);
    try {
      const { code, stderr } = await pleiad(["up", fleet, "--state", join(folder.path, "taken")]);
      expect(stderr).toContain(`127.0.0.1:${port}`);
      expect(stderr).toContain("address already in use");
      expect(code).toBe(1);
    } finally {
      stranger.close();
    }
  });

  it("a state folder that cannot be written", async () => {
    const { code, stderr } = await pleiad(["up", "fleets/laptop.yaml", "--state", "/proc/pleiad"]);
    expect(stderr).toMatch(/^state folder \/proc\/pleiad is not writable \(\w+\); choose another with --state$/m);
    expect(code).toBe(1);
  });

  it("a question when nothing runs", async () => {
    const { code, stderr } = await pleiad(["query", "up", "--state", join(folder.path, "none")]);
    expect(stderr).toContain("no twin runs here; start one with npm start");
    expect(code).toBe(1);
  });

  it("a querier that does not answer", async () => {
    const { code, stderr } = await pleiad(["query", "up", "--url", "http://127.0.0.1:1"]);
    expect(stderr).toContain("no querier answers: http://127.0.0.1:1");
    expect(code).toBe(1);
  });
});

describe("pleiad plan", () => {
  it("prints the design's budget table to the digit", async () => {
    const { stdout, code } = await pleiad(["plan", "fleets/seven-nodes-as-designed.yaml"]);
    expect(code).toBe(0);
    const budgets = stdout.split("\n").flatMap((line) => {
      const row = /^(node-\d|\S+) .*?([\d.]+\/[\d.]+(?: \(\d+ %\))?) +([\d.]+\/[\d.]+(?: \(\d+ %\))?)$/.exec(line);
      return row === null ? [] : [row.slice(1).join(" ")];
    });
    expect(budgets).toEqual([
      "node-1 11/16 22/32",
      "node-2 11.5/16 23/32",
      "node-3 10/16 20/32",
      "node-4 10/16 20/32",
      "node-5 10/16 20/32",
      "node-6 10/16 20/32",
      "node-7 8.5/16 16.5/32",
      "all 71/112 (63 %) 141.5/224 (63 %)",
    ]);
  });

  it("prints the same plan as data, byte for byte, each time", async () => {
    const first = await pleiad(["plan", "--json"]);
    const second = await pleiad(["plan", "--json"]);
    expect(first.stdout).toBe(second.stdout);
    expect((JSON.parse(first.stdout) as { totals: { clusters: number } }).totals.clusters).toBe(220);
  });
});

function occupy(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
