/** `pleiad querier`: PromQL over StoreAPI endpoints, of Pleiad or of Thanos. Flags are those of `thanos query`. */
import { resolve } from "node:path";
import { nodeNames } from "@pleiad/node-ports";
import type { LogLevel } from "@pleiad/ports";
import { defaultQuerierLimits, startQuerier, type QueryMode } from "@pleiad/role-querier";
import {
  defaultEndpointNamesIntervalMs,
  deduplicationFunctions,
  endpointAddressFault,
  lookedUpAddress,
  strictLookup,
  type DeduplicationFunction,
  type EndpointSpec,
} from "@pleiad/storeapi";
import { InvalidArgumentError, Option, type Command } from "commander";
import { collectValues } from "../command-options.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import {
  addClientTlsOptions,
  addServerTlsOptions,
  clientConnectionOf,
  serverTlsOf,
  type ClientTlsFlags,
  type ServerTlsFlags,
} from "../grpc-tls-options.ts";
import { accessAt, durationOption, logLevelOption, openRoleWorld, readCount, runRole } from "../running-role.ts";

/** By the names that commander makes of the flags. */
interface QuerierFlags extends ClientTlsFlags, ServerTlsFlags {
  readonly endpoint: readonly string[];
  readonly endpointStrict: readonly string[];
  readonly endpointGroup: readonly string[];
  readonly endpointGroupStrict: readonly string[];
  readonly "endpoint.sdConfigFile"?: string;
  readonly "endpoint.sdConfigReloadInterval": number;
  readonly "store.sdFiles": readonly string[];
  readonly "store.sdDnsInterval": number;
  readonly "store.responseTimeout": number;
  readonly "store.limits.requestSeries": number;
  readonly "query.replicaLabel": readonly string[];
  readonly "deduplication.func": DeduplicationFunction;
  readonly "query.timeout": number;
  readonly "query.maxConcurrent": number;
  readonly "query.maxSamples": number;
  readonly "query.partialResponse": boolean;
  readonly "query.mode": "local" | "distributed";
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly "log.level": LogLevel;
}

export function addQuerierCommand(program: Command): void {
  const { concurrentQueriesMax, queryTimeoutMs, samplesMax, seriesMax, storeTimeoutMs } = defaultQuerierLimits;
  const command = program
    .command("querier")
    .description("answer PromQL over the StoreAPI of agents, sidecars, stores and other queriers")
    .option(
      "--endpoint <address>",
      "whom to ask, host:port or dns+host:port, dnssrv+name, dnssrvnoa+name; may be repeated",
      readEndpoint,
      [],
    )
    .option("--endpoint-strict <address>", "the same, not looked up: one that is away is told anyhow", readStrict, [])
    .option("--endpoint-group <address>", "a name behind which any of several answers", readEndpoint, [])
    .option("--endpoint-group-strict <address>", "the same, not looked up", readStrict, [])
    .addOption(
      durationOption(
        "--store.sd-dns-interval <duration>",
        "how often names are looked up anew",
        `${defaultEndpointNamesIntervalMs}ms`,
      ),
    )
    .option("--endpoint.sd-config-file <file>", "endpoints in YAML, read anew while it runs")
    .addOption(durationOption("--endpoint.sd-config-reload-interval <duration>", "how often files are read", "5s"))
    .option(
      "--store.sd-files <file>",
      "targets as of Prometheus's file_sd; may be repeated, and hold *",
      collectValues,
      [],
    )
    .addOption(
      durationOption("--store.response-timeout <duration>", "the longest wait for one endpoint", `${storeTimeoutMs}ms`),
    )
    .option("--store.limits.request-series <number>", "series of one question", readCount, seriesMax)
    .option("--query.replica-label <name>", "label by which replicas differ; may be repeated", collectValues, [])
    .addOption(
      new Option("--deduplication.func <name>", "how the series of replicas are made one")
        .choices(deduplicationFunctions)
        .default("auto"),
    )
    .addOption(durationOption("--query.timeout <duration>", "of one query", `${queryTimeoutMs}ms`))
    .option("--query.max-concurrent <number>", "queries at once; more wait", readCount, concurrentQueriesMax)
    .option("--query.max-samples <number>", "that one query may hold", readCount, samplesMax)
    .option("--query.partial-response", "answer with a warning where something is missing", true)
    .option("--no-query.partial-response", "fail where something is missing, unless a request says otherwise")
    .addOption(
      new Option("--query.mode <mode>", "whether endpoints that evaluate are asked for their share of an answer")
        .choices(["local", "distributed"])
        .default("distributed"),
    )
    .option("--grpc-address <address>", "of StoreAPI", "127.0.0.1:10901")
    .option("--http-address <address>", "of the HTTP API", "127.0.0.1:10902")
    .addOption(logLevelOption());
  addClientTlsOptions(addServerTlsOptions(command)).action(async (flags: QuerierFlags) => await querierCommand(flags));
}

const modes: Readonly<Record<QuerierFlags["query.mode"], QueryMode>> = { local: "fan-out", distributed: "distributed" };

async function querierCommand(flags: QuerierFlags): Promise<void> {
  const world = openRoleWorld(flags["log.level"]);
  const grpcTls = serverTlsOf(flags);
  const connection = clientConnectionOf(flags);
  const file = flags["endpoint.sdConfigFile"];
  const paths = [...(file === undefined ? [] : [file]), ...flags["store.sdFiles"]].map((path) => resolve(path));
  const endpointFiles = { paths, intervalMs: flags["endpoint.sdConfigReloadInterval"], usual: connection };
  const started = await startQuerier(
    {
      name: "querier",
      httpAddress: flags.httpAddress,
      grpcAddress: flags.grpcAddress,
      endpoints: endpointsOf(flags).map((spec) => ({ ...spec, connection })),
      ...(paths.length === 0 ? {} : { endpointFiles }),
      endpointNames: { names: nodeNames(), intervalMs: flags["store.sdDnsInterval"] },
      ...(grpcTls === undefined ? {} : { grpcTls }),
      replicaLabels: flags["query.replicaLabel"],
      deduplication: flags["deduplication.func"],
      partialResponse: flags["query.partialResponse"],
      queryMode: modes[flags["query.mode"]],
      limits: {
        ...defaultQuerierLimits,
        concurrentQueriesMax: flags["query.maxConcurrent"],
        queryTimeoutMs: flags["query.timeout"],
        samplesMax: flags["query.maxSamples"],
        seriesMax: flags["store.limits.requestSeries"],
        // Thanos's "no limit": a wait without an end would hold whoever asks, so it is the usual one.
        storeTimeoutMs: flags["store.responseTimeout"] || defaultQuerierLimits.storeTimeoutMs,
      },
      renderMetrics: world.renderMetrics,
      access: accessAt(flags.httpAddress),
      warmsUp: true,
    },
    world.ports,
  );
  if (!started.ok) throw new CommandFailure(exitCodes.failed, started.failure.message);
  const { grpcAddress, httpAddress } = started.value;
  process.stdout.write(`PromQL on http://${httpAddress}, StoreAPI on ${grpcAddress}\n`);
  await runRole(started.value, world);
}

function endpointsOf(flags: QuerierFlags): readonly EndpointSpec[] {
  const single = (address: string): EndpointSpec => ({ address, name: address, expects: [] });
  return [
    ...[...flags.endpoint, ...flags.endpointStrict].map(single),
    ...[...flags.endpointGroup, ...flags.endpointGroupStrict].map((address) => ({
      ...single(address),
      group: address,
    })),
  ];
}

function readEndpoint(text: string, before: readonly string[]): readonly string[] {
  const fault = endpointAddressFault(text);
  if (fault !== undefined) throw new InvalidArgumentError(fault);
  return [...before, text];
}

function readStrict(text: string, before: readonly string[]): readonly string[] {
  if (lookedUpAddress(text) !== undefined) throw new InvalidArgumentError(strictLookup);
  return readEndpoint(text, before);
}
