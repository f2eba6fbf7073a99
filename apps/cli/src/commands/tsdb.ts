/** `pleiad tsdb serve | analyze | dump | verify`: data folders of Prometheus and Pleiad. */
import type { Command } from "commander";
import { pleiadVersion, readNames } from "../command-options.ts";
import { tsdbAnalyzeCommand, tsdbDumpCommand, tsdbVerifyCommand, type TsdbDumpOptions } from "./tsdb-inspect.ts";
import { tsdbServeCommand, type TsdbServeOptions } from "./tsdb-serve.ts";

export function addTsdbCommand(program: Command): void {
  const tsdb = program.command("tsdb").description("look into data folders of Prometheus and Pleiad");

  tsdb
    .command("serve")
    .description("answer queries over a data folder, which is read and never written")
    .argument("<folder>", "holds blocks, and maybe wal and chunks_head")
    .option("--listen <address>", "host and port", "127.0.0.1:19390")
    .option("--cache-mib <number>", "of memory that all blocks may keep", "2048")
    .option("--enable-feature <name,...>", "as Prometheus names them: promql-experimental-functions …", readNames, [])
    .action(
      async (folder: string, options: Omit<TsdbServeOptions, "version">) =>
        await tsdbServeCommand(folder, { ...options, version: pleiadVersion }),
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
}
