#!/usr/bin/env node
/** The `pleiad` command: flags in, exit code out. */
import { readFileSync } from "node:fs";
import { severities } from "@pleiad/findings";
import { parseDuration } from "@pleiad/model";
import { defaultRenderSettings } from "@pleiad/manifests";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { bucketInspectCommand, bucketListCommand, bucketVerifyCommand, type BucketOptions } from "./commands/bucket.ts";
import { addCertsCommand } from "./commands/certs.ts";
import { addClusterCommand } from "./commands/cluster.ts";
import { costCommand } from "./commands/cost.ts";
import { growCommand, type GrowCommandOptions } from "./commands/grow.ts";
import { explainCommand, type ExplainCommandOptions } from "./commands/explain.ts";
import { initCommand, type InitCommandOptions } from "./commands/init.ts";
import { lintCommand, type LintCommandOptions } from "./commands/lint.ts";
import { addMeasureCommand } from "./commands/measure.ts";
import { planCommand, type PlanCommandOptions } from "./commands/plan.ts";
import { renderCommand, renderDiffCommand, type RenderCommandOptions } from "./commands/render.ts";
import { reportCommand, type ReportCommandOptions } from "./commands/report.ts";
import { addQuerierCommand } from "./commands/querier.ts";
import { queryCommand, type QueryCommandOptions } from "./commands/query.ts";
import { addQueryFrontendCommand } from "./commands/query-frontend.ts";
import { addReceiveCommand } from "./commands/receive.ts";
import { schemaCommand } from "./commands/schema.ts";
import { addSidecarCommand } from "./commands/sidecar.ts";
import {
  tsdbAnalyzeCommand,
  tsdbDumpCommand,
  tsdbVerifyCommand,
  type TsdbDumpOptions,
} from "./commands/tsdb-inspect.ts";
import { tsdbServeCommand, type TsdbServeOptions } from "./commands/tsdb-serve.ts";
import { upCommand, type UpCommandOptions } from "./commands/up.ts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};
interface BucketFlags {
  readonly objstore?: string;
  readonly dir?: string;
  readonly label: readonly string[];
}

const bucketOptionsOf = ({ objstore, dir, label }: BucketFlags): BucketOptions => ({ objstore, directory: dir, label });
const collect = (value: string, before: readonly string[]) => [...before, value];

const stateOption = new Option("--state <folder>", "folder that holds the twin's state").default(".pleiad");

const historyMsMax = 90 * 86_400_000;
const readHistory = (text: string) => {
  const span = parseDuration(text);
  if (!span.ok || span.value > historyMsMax) {
    throw new InvalidArgumentError("expected a duration up to 90d, such as 14d, or 0");
  }
  return span.value;
};

const splitNames = (text: string, before: readonly string[]) => [
  ...before,
  ...text.split(",").map((name) => name.trim()),
];

const readCounts = (text: string) => {
  const counts = text.split(",").map(Number);
  if (counts.every((count) => Number.isInteger(count) && count >= 1 && count <= clustersPlannedMax)) return counts;
  throw new InvalidArgumentError(`expected counts up to ${clustersPlannedMax}, such as 300,500,700`);
};
const clustersPlannedMax = 100_000;

const monthsIn: Readonly<Record<string, number>> = { day: 12 / 365, week: 84 / 365, month: 1, year: 12 };
const readRate = (text: string) => {
  const [, amount = "", unit = "month"] = /^(\d+(?:\.\d+)?)(?:\/(day|week|month|year))?$/.exec(text) ?? [];
  const months = monthsIn[unit];
  if (amount === "" || months === undefined)
    throw new InvalidArgumentError("expected a rate such as 5/month or 60/year");
  return Number(amount) / months;
};

const program = new Command("pleiad")
  .description("Plan, run and rehearse a three-tier Prometheus and Thanos hierarchy.")
  .version(version)
  .showHelpAfterError("(pleiad --help lists the commands)")
  .exitOverride();

program
  .command("up")
  .description("run the whole hierarchy of a fleet on this machine, until Ctrl-C")
  .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
  .addOption(stateOption)
  .addOption(
    new Option("--log-level <level>", "of the log files").choices(["debug", "info", "warn", "error"]).default("info"),
  )
  .option("--history <span>", "made-up time before the first start, such as 14d; 0 for none", readHistory)
  .action(async (file: string | undefined, options: UpCommandOptions) => await upCommand(file, options));

program
  .command("plan")
  .description("show which role runs on which node, with what")
  .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
  .option("--json", "print the whole plan as data", false)
  .option("--measured <file>", "measured values in place of the capacity model's, YAML or JSON")
  .option("--explain <figure>", "explain a figure of the capacity model instead, such as store-gateway.memory")
  .option("--against <plan.json>", "show what changes from that older plan, in order")
  .action((file: string | undefined, { explain, ...options }: PlanCommandOptions & { explain?: string }) =>
    explain === undefined ? planCommand(file, options) : explainCommand(explain, file, options),
  );

program
  .command("explain")
  .description("show what the capacity model says of a fleet, and what that rests on")
  .argument("[figure]", "such as store-gateway.memory, or a role; default: list them all")
  .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
  .option("--measured <file>", "measured values in place of the model's, YAML or JSON")
  .option("--scope <name>", "only of this region, or of these clusters")
  .option("--depth <number>", "how far down inputs are explained", Number)
  .option("--json", "print it as data", false)
  .action((figure: string | undefined, file: string | undefined, options: ExplainCommandOptions) =>
    explainCommand(figure, file, options),
  );

addMeasureCommand(program, stateOption);

program
  .command("init")
  .description("write a commented fleet file to start from; asks on a terminal when no flag is given")
  .argument("[file]", "where to; - for standard output; default: fleet.yaml")
  .option("--name <name>", "of the fleet")
  .option("--clusters <count or names>", "such as 40, or shop-{01..40}")
  .option("--series <count>", "active series of one cluster, such as 50k")
  .option("--scrape-interval <duration>", "such as 30s")
  .option("--nodes <count>", "monitoring nodes; default: as few as it takes", Number)
  .option("--cores <cores>", "of a node")
  .option("--memory <size>", "of a node, such as 32Gi")
  .option("--disk <size>", "of a node")
  .option("--network <rate>", "of a node, such as 10Gbit/s")
  .addOption(new Option("--storage <kind>", "object storage").choices(["external", "seaweedfs"]))
  .option("--endpoint <url>", "of external object storage")
  .option("--force", "replace the file where it is there", false)
  .action(async (file: string | undefined, options: InitCommandOptions) => await initCommand(file, options));

program.command("schema").description("print the JSON Schema of fleet files, for editors").action(schemaCommand);

const severityOption = (flag: string, description: string) =>
  new Option(`${flag} <severity>`, description).choices([...severities]);

program
  .command("lint")
  .description("say what is wrong or risky in a fleet file that can be planned")
  .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
  .addOption(severityOption("--severity", "the least that is shown").default("low"))
  .addOption(
    new Option("--fail-on <severity>", "the least that ends with exit code 3")
      .choices([...severities, "none"])
      .default("high"),
  )
  .addOption(new Option("--format <format>", "of the output").choices(["text", "json", "sarif"]).default("text"))
  .option("--json", "the same as --format json", false)
  .option("--fix", "write the corrected file in place of the old one", false)
  .option("--measured <file>", "measured values in place of the capacity model's, YAML or JSON")
  .action((file: string | undefined, options: Omit<LintCommandOptions, "version"> & { json: boolean }) =>
    lintCommand(file, { ...options, format: options.json ? "json" : options.format, version }),
  );

const renderingCommand = (name: string, description: string) =>
  program
    .command(name)
    .description(description)
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .requiredOption("-o, --output <folder>", "folder of the rendered files")
    .option("--namespace <name>", "of everything but object storage", defaultRenderSettings.namespace)
    .option("--storage-class <name>", "of volumes; default: the cluster's own")
    .option(
      "--cluster-address <template>",
      "where an app cluster's sidecars are reached",
      defaultRenderSettings.clusterAddress,
    )
    .option("--public-domain <name>", "of what app clusters reach", defaultRenderSettings.publicDomain)
    .option("--monitoring-cidr <cidr>", "where the monitoring nodes come from; may be repeated", collect, [])
    .option(
      "--external-secret-store <name>",
      "Secrets are filled from this ClusterSecretStore; default: they are there",
    )
    .addOption(
      new Option("--certificates <source>", "of gRPC").choices(["cert-manager", "built-in"]).default("cert-manager"),
    )
    .addOption(
      new Option("--app-clusters <form>", "of their Prometheus")
        .choices(["operator", "kube-prometheus-stack"])
        .default("operator"),
    )
    .option("--image-mirror <registry>", "takes the place of every image's registry")
    .option("--git-repository <url>", "where the folder is kept, for ApplicationSets of Argo CD; default: none")
    .option("--git-revision <name>", "branch or tag of the repository", "main")
    .option("--git-path <path>", "of the folder in the repository", "deploy");

renderingCommand("render", "write what Kubernetes needs to run the plan with real Thanos").action(
  (file: string | undefined, options: RenderCommandOptions) => renderCommand(file, options),
);
renderingCommand("diff", "say how a rendered folder differs from the fleet file; exit code 3 where it does").action(
  (file: string | undefined, options: RenderCommandOptions) => renderDiffCommand(file, options),
);

addClusterCommand(program);
addCertsCommand(program);

program
  .command("cost")
  .description("show what a fleet costs a month, and what such tables leave out")
  .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
  .option("--json", "print it as data", false)
  .action((file: string | undefined, options: { json: boolean }) => costCommand(file, options));

program
  .command("grow")
  .description("show what more clusters take, and what gives way first")
  .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
  .requiredOption("--clusters <count,...>", "of the whole fleet, such as 300,500,700", readCounts)
  .option("--rate <count/month>", "new clusters, such as 5/month; default: growth.clusters of the file", readRate)
  .option("--json", "print it as data", false)
  .action((file: string | undefined, { clusters, rate, json }: GrowCommandOptions) =>
    growCommand(file, { clusters, rate, json }),
  );

program
  .command("report")
  .description("write the plan, its findings, load, growth and cost as Markdown with charts")
  .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
  .requiredOption("-o, --output <folder>", "that the files are written to")
  .option(
    "--clusters <count,...>",
    "sizes that growth is planned for; default: half as many more, twice, three times",
    readCounts,
  )
  .option("--rate <count/month>", "new clusters, such as 5/month; default: growth.clusters of the file", readRate)
  .action((file: string | undefined, options: ReportCommandOptions) => reportCommand(file, options));

program
  .command("query")
  .description("ask a querier, print a table")
  .argument("<expression>", "PromQL", (text: string) => {
    if (text.trim() === "") throw new InvalidArgumentError("it is empty");
    return text;
  })
  .option("--url <url>", "a querier; default: that of the running twin")
  .addOption(stateOption)
  .option("--time <time>", "evaluate at, Unix seconds or RFC 3339; default: now")
  .option("--start <time>", "range query: from; default: one hour before the end")
  .option("--end <time>", "range query: to; default: now")
  .option("--step <seconds>", "range query: resolution; default: 60")
  .option("--explain", "print the plan and its operators, read no samples", false)
  .option("--analyze", "print series, samples and time of each operator instead of the answer", false)
  .option("--json", "print the answer as it came", false)
  .action(async (expression: string, options: QueryCommandOptions) => await queryCommand(expression, options));

addQuerierCommand(program);
addSidecarCommand(program);
addReceiveCommand(program);
addQueryFrontendCommand(program);

const tsdb = program.command("tsdb").description("look into data folders of Prometheus and Pleiad");

tsdb
  .command("serve")
  .description("answer queries over a data folder, which is read and never written")
  .argument("<folder>", "holds blocks, and maybe wal and chunks_head")
  .option("--listen <address>", "host and port", "127.0.0.1:19390")
  .option("--cache-mib <number>", "of memory that all blocks may keep", "2048")
  .option("--enable-feature <name,...>", "as Prometheus names them: promql-experimental-functions …", splitNames, [])
  .action(
    async (folder: string, options: Omit<TsdbServeOptions, "version">) =>
      await tsdbServeCommand(folder, { ...options, version }),
  );

tsdb
  .command("analyze")
  .description("list the blocks of a data folder, and what one of them is made of")
  .argument("<folder>", "a data folder, or one block")
  .argument("[block]", "ULID; default: the newest")
  .option("--limit <number>", "rows a table", "10")
  .action(
    async (folder: string, block: string | undefined, options: { limit: string }) =>
      await tsdbAnalyzeCommand(folder, block, options),
  );

tsdb
  .command("dump")
  .description("print every sample as a line, as promtool does")
  .argument("<folder>", "a data folder")
  .option("--match <selector>", "of the series", '{__name__=~"(?s:.*)"}')
  .option("--min-time <time>", "Unix milliseconds or RFC 3339")
  .option("--max-time <time>", "Unix milliseconds or RFC 3339")
  .action(async (folder: string, options: TsdbDumpOptions) => await tsdbDumpCommand(folder, options));

tsdb
  .command("verify")
  .description("read every block from end to end and say what is wrong")
  .argument("<folder>", "a data folder, or one block")
  .action(async (folder: string) => await tsdbVerifyCommand(folder));

const bucket = program.command("bucket").description("look at the blocks in object storage");

const bucketCommand = (name: string, description: string) =>
  bucket
    .command(name)
    .description(description)
    .option("--objstore <file>", "object storage, in the form of Thanos's --objstore.config-file")
    .option("--dir <folder>", "the bucket is this folder")
    .option("--label <name=value>", "only blocks with this external label; may be repeated", collect, []);

bucketCommand("ls", "list every block").action(
  async (options: BucketFlags) => await bucketListCommand(bucketOptionsOf(options)),
);
bucketCommand("inspect", "sum up what each stream of blocks holds").action(
  async (options: BucketFlags) => await bucketInspectCommand(bucketOptionsOf(options)),
);
bucketCommand("verify", "read blocks from end to end and say what is wrong")
  .argument("[block]", "ULID; default: all")
  .action(
    async (ulid: string | undefined, options: BucketFlags) => await bucketVerifyCommand(ulid, bucketOptionsOf(options)),
  );

// `pleiad plan | head` has read enough: no reason for a stack trace.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.done);
  throw error;
});

try {
  await program.parseAsync();
  process.exitCode ??= exitCodes.done;
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? exitCodes.done : exitCodes.badInput);
  if (error instanceof CommandFailure) {
    process.stderr.write(`${error.message}\n`);
    process.exit(error.exitCode);
  }
  throw error;
}
