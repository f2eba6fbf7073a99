/**
 * docs/guide/metrics.md lists every metric that the sources declare under Pleiad's own name, as they declare it. It is
 * written by this test: `vitest run --project unit scripts/own-metrics.test.ts -u`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = ["packages", "roles"].flatMap((folder) =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" })
    .filter((path) => /^[^/]+\/src\/.*(?<!\.(?:test|testing|fixtures|bench))\.ts$/.test(path))
    .map((path) => ({ owner: path.split("/")[0] ?? "", text: readFileSync(`${root}${folder}/${path}`, "utf8") })),
);

const declaration = /\b(counter|gauge|histogram)\(\s*(?:"(pleiad_\w+)"|droppedObservationsMetric),\s*"([^"]*)"/g;
const rows = sources.flatMap(({ owner, text }) =>
  [...text.matchAll(declaration)].map(([, kind = "", name = "pleiad_observations_dropped_total", help = ""]) => [
    `\`${name}\``,
    kind,
    `\`${owner}\``,
    help,
  ]),
);

function table(lines: readonly (readonly string[])[]): string {
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const [head = [], ...others] = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)));
  const rule = widths.map((width) => "-".repeat(width));
  return [head, rule, ...others].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

const page = `# Metrics of Pleiad's own

The roles of the embedded engine say what Thanos's and Prometheus's say under their names, so that the same dashboards and
alerts serve both. What those have no name for begins with \`pleiad_\`, on the \`/metrics\` of whoever runs the package.

${table([["metric", "kind", "of", "what"], ...rows.sort(([a = ""], [b = ""]) => (a < b ? -1 : 1))])}

Metrics of a process that holds several clusters or tenants have a further label in front, \`cluster\` or \`tenant\`. A metric
may have 2000 series; what would be one more is left out, and counted in \`pleiad_observations_dropped_total\`.
`;

it("every metric of Pleiad's own is documented, and every documented one is there", async () => {
  expect(rows.length).toBeGreaterThan(30);
  await expect(page).toMatchFileSnapshot("../docs/guide/metrics.md");
});

it("no metric of Pleiad's own is declared in a way that is not seen here", () => {
  const seen = new Set(rows.map(([name]) => name));
  const named = sources.flatMap(({ text }) => [...text.matchAll(/"(pleiad_\w+)"/g)].map(([, name]) => `\`${name}\``));
  expect(named.filter((name) => !seen.has(name))).toEqual([]);
});
