/** Everything that must hold before a change lands, in the order of how soon it fails. `npm run check`. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const tool = (path: string, ...args: readonly string[]) => [`node_modules/${path}`, ...args];
const node = process.execPath;

const steps: readonly Step[] = [
  { name: "format", command: node, args: tool("oxfmt/bin/oxfmt", "--check") },
  { name: "lint", command: node, args: tool("oxlint/bin/oxlint", "--type-aware", "--deny-warnings") },
  { name: "types", command: node, args: tool("typescript/bin/tsc", "-b") },
  {
    name: "dependencies",
    command: node,
    args: tool("knip/bin/knip.js", "--include", "unlisted,unresolved,dependencies,files", "--no-config-hints"),
  },
  { name: "benchmarks, small", command: node, args: ["bench/main.ts", "--small"] },
  { name: "hierarchy, small", command: node, args: ["bench/hierarchy.ts", "--small"] },
  { name: "tests", command: node, args: tool("vitest/vitest.mjs", "run") },
];

function run(step: Step): Promise<number> {
  const child = spawn(step.command, step.args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env["PATH"] ?? ""}` },
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

const withoutTests = process.argv.includes("--without-tests");
for (const step of steps) {
  if (withoutTests && step.name === "tests") continue;
  const startedMs = performance.now();
  process.stdout.write(`\n== ${step.name}\n`);
  const code = await run(step);
  if (code !== 0) {
    process.stdout.write(`\ncheck: ${step.name} failed\n`);
    process.exit(code);
  }
  process.stdout.write(`   ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`);
}
