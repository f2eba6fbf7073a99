/** The commands of `pleiad` with their flags. */
import { Command } from "commander";
import { pleiadVersion } from "./command-options.ts";

/** Adds a command with its flags to the program. */
type AddCommand = (program: Command) => void;

/** In the order of `pleiad --help`. A command's module is loaded only when it is asked for: all of them take a second. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  up: async () => (await import("./commands/up.ts")).addUpCommand,
  plan: async () => (await import("./commands/plan.ts")).addPlanCommand,
  explain: async () => (await import("./commands/explain.ts")).addExplainCommand,
  measure: async () => (await import("./commands/measure.ts")).addMeasureCommand,
  init: async () => (await import("./commands/init.ts")).addInitCommand,
  schema: async () => (await import("./commands/schema.ts")).addSchemaCommand,
  lint: async () => (await import("./commands/lint.ts")).addLintCommand,
  render: async () => (await import("./commands/render.ts")).addRenderCommand,
  diff: async () => (await import("./commands/diff.ts")).addDiffCommand,
  apply: async () => (await import("./commands/apply.ts")).addApplyCommand,
  cluster: async () => (await import("./commands/cluster.ts")).addClusterCommand,
  certs: async () => (await import("./commands/certs.ts")).addCertsCommand,
  cost: async () => (await import("./commands/cost.ts")).addCostCommand,
  grow: async () => (await import("./commands/grow.ts")).addGrowCommand,
  report: async () => (await import("./commands/report.ts")).addReportCommand,
  query: async () => (await import("./commands/query.ts")).addQueryCommand,
  querier: async () => (await import("./commands/querier.ts")).addQuerierCommand,
  sidecar: async () => (await import("./commands/sidecar.ts")).addSidecarCommand,
  receive: async () => (await import("./commands/receive.ts")).addReceiveCommand,
  "query-frontend": async () => (await import("./commands/query-frontend.ts")).addQueryFrontendCommand,
  tsdb: async () => (await import("./commands/tsdb.ts")).addTsdbCommand,
  bucket: async () => (await import("./commands/bucket.ts")).addBucketCommand,
};

/** The program with the command that `asked` names, or with all of them where it names none. Exits by exception. */
export async function pleiadProgram(asked = ""): Promise<Command> {
  const program = new Command("pleiad")
    .description("Plan, run, deploy and rehearse a three-tier Prometheus and Thanos hierarchy.")
    .version(pleiadVersion)
    .showHelpAfterError("(pleiad --help lists the commands)")
    .exitOverride();
  const needed = Object.hasOwn(commands, asked) ? [asked] : Object.keys(commands);
  for (const name of needed) (await commands[name]?.())?.(program);
  return program;
}
