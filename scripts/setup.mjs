// Makes a checkout runnable: installs what package-lock.json names, checks the run-time, builds the console.
// Plain JavaScript for Node 20: this runs before the pinned Node is there. Does nothing that is already done.
//
//   node scripts/setup.mjs run       what `npm start` needs
//   node scripts/setup.mjs develop   the same and the tools for tests and checks
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stampFile = join(root, "node_modules/.pleiad-setup.json");
const runtime = join(root, "node_modules/.bin/node");
const level = process.argv[2];

function stop(message) {
  process.stderr.write(`pleiad: ${message}\n`);
  process.exit(1);
}

function hashOf(paths) {
  const hash = createHash("sha256");
  for (const path of paths)
    hash
      .update(path)
      .update("\0")
      .update(readFileSync(join(root, path)))
      .update("\0");
  return hash.digest("hex");
}

function filesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() ? filesBelow(path) : [path];
    })
    .sort();
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function run(command, args, what) {
  // What a tool prints is of interest only when it fails; standard output belongs to the command that follows.
  const result = spawnSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  if (result.error !== undefined) stop(`${what} failed: ${result.error.message}`);
  if (result.status !== 0) stop(`${what} failed:\n${result.stdout}${result.stderr}`);
}

function install() {
  const lock = hashOf(["package-lock.json", ".npmrc"]);
  const stamp = readJson(stampFile);
  if (stamp?.lock === lock && (stamp.level === "develop" || stamp.level === level) && existsSync(runtime)) return;
  process.stderr.write("pleiad: installing dependencies (once) …\n");
  const npm = process.env.npm_execpath;
  // Tools that somebody installed stay: who works on the project also runs it.
  const withTools = level === "develop" || existsSync(join(root, "node_modules/vitest"));
  const args = ["ci", "--no-audit", "--no-fund", "--prefer-offline", ...(withTools ? [] : ["--omit=dev"])];
  if (npm !== undefined && npm.endsWith(".js")) run(process.execPath, [npm, ...args], "npm ci");
  else run("npm", args, "npm ci");
  if (!existsSync(runtime)) {
    // No pinned binary for this platform: the machine's own Node serves if it is new enough.
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    if (major < 24 || (major === 24 && minor < 15)) {
      stop(
        `there is no pinned Node for ${process.platform} ${process.arch}; run this with Node 24.15 or newer (found ${process.version})`,
      );
    }
    mkdirSync(dirname(runtime), { recursive: true });
    symlinkSync(process.execPath, runtime);
  }
  const version = spawnSync(runtime, ["--version"], { encoding: "utf8" }).stdout?.trim() ?? "";
  if (!/^v(2[4-9]|[3-9]\d)\./.test(version))
    stop(`node_modules/.bin/node should be Node 24 and is ${version || "missing"}`);
  writeFileSync(stampFile, JSON.stringify({ lock, level: withTools ? "develop" : level }));
}

function buildConsole() {
  const source = hashOf([
    ...filesBelow("apps/console/src"),
    ...["apps/console/index.html", "apps/console/vite.config.ts", "package-lock.json"].filter((path) =>
      existsSync(join(root, path)),
    ),
  ]);
  const builtFile = join(root, "apps/console/dist/.built");
  if (existsSync(builtFile) && readFileSync(builtFile, "utf8") === source) return;
  rmSync(builtFile, { force: true });
  run(
    runtime,
    ["node_modules/vite/bin/vite.js", "build", "apps/console", "--logLevel", "warn"],
    "building the console",
  );
  mkdirSync(dirname(builtFile), { recursive: true });
  writeFileSync(builtFile, source);
}

if (level !== "run" && level !== "develop") stop("setup takes one word: run or develop");
install();
if (existsSync(join(root, "apps/console/index.html"))) buildConsole();
