/** `pleiad sidecar`: serves and uploads what the Prometheus beside it has. Flags are those of Thanos. */
import { resolve } from "node:path";
import type { LogLevel } from "@pleiad/ports";
import { defaultSidecar, startSidecar } from "@pleiad/role-sidecar";
import { InvalidArgumentError, type Command } from "commander";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addServerTlsOptions, serverTlsOf, type ServerTlsFlags } from "../grpc-tls-options.ts";
import {
  accessAt,
  bucketOf,
  durationOption,
  logLevelOption,
  openRoleWorld,
  readDuration,
  runRole,
  type ObjectStorageFlags,
} from "../running-role.ts";

/** By the names that commander makes of the flags. */
interface SidecarFlags extends ObjectStorageFlags, ServerTlsFlags {
  readonly "prometheus.url": string;
  readonly "prometheus.ready_timeout": number;
  readonly "prometheus.get_config_interval": number;
  readonly "prometheus.get_config_timeout": number;
  readonly "tsdb.path": string;
  readonly "shipper.uploadCompacted": boolean;
  readonly "shipper.ignoreUnequalBlockSize": boolean;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly minTime?: number;
  readonly "log.level": LogLevel;
}

export function addSidecarCommand(program: Command): void {
  const command = program
    .command("sidecar")
    .description("serve the data of the Prometheus beside it over StoreAPI, and upload its blocks")
    .option("--prometheus.url <url>", "its HTTP address", readUrl, "http://localhost:9090")
    .addOption(durationOption("--prometheus.ready_timeout <duration>", "how long a start waits for it", "10m"))
    .addOption(
      durationOption("--prometheus.get_config_interval <duration>", "its configuration is read this often", "30s"),
    )
    .addOption(durationOption("--prometheus.get_config_timeout <duration>", "of one such question", "10s"))
    .option("--tsdb.path <folder>", "its data folder", "./data")
    .option("--objstore.config-file <file>", "object storage for its blocks; without it they stay")
    .option("--objstore.config <yaml>", "the same as a text")
    .option("--shipper.upload-compacted", "upload blocks that a compaction made too", false)
    .option("--shipper.ignore-unequal-block-size", "upload though Prometheus compacts, at the risk of gaps", false)
    .option("--grpc-address <address>", "of StoreAPI", "127.0.0.1:10901")
    .option("--http-address <address>", "of /metrics, /-/healthy and /-/ready", "127.0.0.1:10902")
    .option(
      "--min-time <time>",
      "serve nothing before: RFC 3339, or a duration back from the start such as -2h",
      readTime,
    )
    .addOption(logLevelOption());
  addServerTlsOptions(command).action(async (flags: SidecarFlags) => await sidecarCommand(flags));
}

async function sidecarCommand(flags: SidecarFlags): Promise<void> {
  const world = openRoleWorld(flags["log.level"]);
  const bucket = bucketOf(flags, world.ports);
  const started = await startSidecar(
    {
      ...defaultSidecar,
      name: "sidecar",
      prometheusUrl: flags["prometheus.url"],
      directory: resolve(flags["tsdb.path"]),
      grpcAddress: flags.grpcAddress,
      grpcTls: serverTlsOf(flags),
      httpAddress: flags.httpAddress,
      readyTimeoutMs: flags["prometheus.ready_timeout"],
      configIntervalMs: flags["prometheus.get_config_interval"],
      statusTimeoutMs: flags["prometheus.get_config_timeout"],
      minTimeMs: flags.minTime ?? -Infinity,
      uploadsCompacted: flags["shipper.uploadCompacted"],
      ignoresUnequalBlockSize: flags["shipper.ignoreUnequalBlockSize"],
      ...(bucket === undefined ? {} : { objectStorage: bucket }),
      renderMetrics: world.renderMetrics,
      access: accessAt(flags.httpAddress),
    },
    world.ports,
    world.stopping,
  );
  if (!started.ok) throw new CommandFailure(exitCodes.failed, started.failure.message);
  const { grpcAddress, httpAddress } = started.value;
  process.stdout.write(`${flags["prometheus.url"]} is served on ${grpcAddress}, metrics on http://${httpAddress}\n`);
  await runRole(started.value, world);
}

function readUrl(text: string): string {
  const { protocol } = URL.parse(text) ?? { protocol: "" };
  if (protocol !== "http:" && protocol !== "https:") throw new InvalidArgumentError("expected an http or https URL");
  return text;
}

function readTime(text: string): number {
  if (/^-?\d+[a-z]/.test(text)) {
    const span = readDuration(text.replace(/^-/, ""));
    return Date.now() + (text.startsWith("-") ? -span : span);
  }
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw new InvalidArgumentError("expected RFC 3339, or a duration such as -2h");
  return timeMs;
}
