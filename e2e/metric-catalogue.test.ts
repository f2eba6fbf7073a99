/** The catalogue of metrics, held against the pages of the programs that Debian has: names and kinds. */
import { spawn, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { familiesOf } from "@pleiad/dashboards";
import { afterAll, describe, expect, it } from "vitest";
import { eventually, peerMissing, temporaryFolder } from "./twin-under-test.ts";

const folder = temporaryFolder();
const running: ChildProcess[] = [];
afterAll(() => {
  for (const child of running) child.kill();
  folder.remove();
});

// What Go's runtime and its client say of themselves is not in the catalogue.
const ofTheRuntime = /^(?:go|promhttp|net_conntrack|process)_/;
const configurations = {
  "prometheus.yml": "",
  "alertmanager.yml": "route: { receiver: a }\nreceivers: [{ name: a }]\n",
};

for (const [program, version, command, port, args] of [
  ["prometheus", "2.42.0", "prometheus", 32_710, ["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus"]],
  [
    "alertmanager",
    "0.25.0",
    "prometheus-alertmanager",
    32_711,
    ["--config.file=alertmanager.yml", "--storage.path=alertmanager", "--cluster.listen-address="],
  ],
] as const) {
  describe.skipIf(peerMissing(command))(`${program} ${version}`, () => {
    it("shows no metric that the catalogue has not, or has as another kind", async () => {
      for (const [name, text] of Object.entries(configurations)) writeFileSync(join(folder.path, name), text);
      const listen = `--web.listen-address=127.0.0.1:${port}`;
      running.push(spawn(command, [...args, listen], { cwd: folder.path, stdio: "ignore" }));
      const page = await eventually(`${program}'s page`, 30_000, async () => {
        const response = await fetch(`http://127.0.0.1:${port}/metrics`);
        return response.ok ? await response.text() : undefined;
      });
      expect(page).toContain(`version="${version}`);
      const shown = [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].filter(([, name = ""]) => !ofTheRuntime.test(name));
      expect(shown.length).toBeGreaterThan(30);
      const known = familiesOf(program, version);
      expect(shown.filter(([, name = "", kind]) => known.get(name)?.kind !== kind).map(([line]) => line)).toEqual([]);
    });
  });
}
