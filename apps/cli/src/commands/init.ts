/** `pleiad init [file]`: writes a fleet file to start from, from flags, or from answers on a terminal. */
import { existsSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { defaultAnswers, formatFleetFailure, starterFleet, type StarterAnswers } from "@pleiad/fleet";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { Option, type Command } from "commander";

interface InitCommandOptions {
  readonly name?: string;
  readonly clusters?: string; // a number, a name or a range
  readonly series?: string;
  readonly scrapeInterval?: string;
  readonly nodes?: number;
  readonly cores?: string;
  readonly memory?: string;
  readonly disk?: string;
  readonly network?: string;
  readonly storage?: StarterAnswers["storage"];
  readonly endpoint?: string;
  readonly force: boolean;
}

const defaultFile = "fleet.yaml";

export function addInitCommand(program: Command): void {
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
}

async function initCommand(file: string | undefined, options: InitCommandOptions): Promise<void> {
  const path = file ?? defaultFile;
  if (path !== "-" && existsSync(path) && !options.force) {
    throw new CommandFailure(exitCodes.badInput, `${path}: is there already; --force replaces it`);
  }
  const { force: _, ...given } = options;
  const isSilent = Object.keys(given).length > 0 || !process.stdin.isTTY || !process.stdout.isTTY;
  const answers = isSilent ? fromFlags(given) : await fromQuestions();
  const text = starterFleet(answers);
  if (!text.ok) {
    throw new CommandFailure(
      exitCodes.badInput,
      `these answers give no plan; the file that they make would say:\n${formatFleetFailure(text.failure)}`,
    );
  }
  if (path === "-") {
    process.stdout.write(text.value);
    return;
  }
  writeFileSync(path, text.value);
  process.stdout.write(`${path} is written. pleiad plan ${path} shows what comes out.\n`);
}

/** A number of clusters as a range of names: 40 is `cluster-{01..40}`. */
export function clusterRangeOf(text: string): string {
  if (!/^\d+$/.test(text)) return text;
  const count = String(Number(text));
  return count === "1" ? "cluster-1" : `cluster-{${"1".padStart(count.length, "0")}..${count}}`;
}

function fromFlags(flags: Omit<InitCommandOptions, "force">): StarterAnswers {
  const answers = { ...defaultAnswers, ...flags };
  return { ...answers, clusters: clusterRangeOf(answers.clusters) };
}

async function fromQuestions(): Promise<StarterAnswers> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const ask = async (question: string, fallback: string) => {
    const answer = (await lines.question(`${question} [${fallback}] `)).trim();
    return answer === "" ? fallback : answer;
  };
  try {
    const flags = {
      name: await ask("Name of the fleet?", defaultAnswers.name),
      clusters: clusterRangeOf(await ask("How many clusters, or which names?", defaultAnswers.clusters)),
      series: await ask("Active series of one cluster?", defaultAnswers.series),
      scrapeInterval: await ask("Scrape interval?", defaultAnswers.scrapeInterval),
      nodes: nodesOf(await ask("Monitoring nodes?", "as few as it takes")),
      cores: await ask("Cores of a node?", defaultAnswers.cores),
      memory: await ask("Memory of a node?", defaultAnswers.memory),
      disk: await ask("Disk of a node?", defaultAnswers.disk),
      network: await ask("Network of a node?", defaultAnswers.network),
    };
    const storage = await ask("Object storage: external S3, or seaweedfs on the nodes?", defaultAnswers.storage);
    if (storage !== "external" && storage !== "seaweedfs") {
      throw new CommandFailure(exitCodes.badInput, `expected external or seaweedfs, found ${storage}`);
    }
    return { ...defaultAnswers, ...flags, storage };
  } finally {
    lines.close();
  }
}

function nodesOf(answer: string): number | undefined {
  if (!/^\d+$/.test(answer)) return undefined;
  return Number(answer);
}
