/** `pleiad query-frontend`: splits, caches and queues queries in front of queriers. Flags are those of Thanos where it has them. */
import { readFileSync } from "node:fs";
import { connectTcp } from "@pleiad/node-ports";
import type { LogLevel } from "@pleiad/ports";
import {
  defaultQueryFrontend,
  openCache,
  parseCacheConfig,
  startQueryFrontend,
  type CacheConfig,
} from "@pleiad/role-query-frontend";
import { InvalidArgumentError, type Command } from "commander";
import { parse } from "yaml";
import { collectValues } from "../command-options.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { accessAt, durationOption, logLevelOption, openRoleWorld, readCount, runRole } from "../running-role.ts";

/** By the names that commander makes of the flags. */
interface QueryFrontendFlags {
  readonly httpAddress: string;
  readonly "queryFrontend.downstreamUrl": readonly string[];
  readonly "queryFrontend.tenantHeader": readonly string[];
  readonly "queryFrontend.defaultTenantId": string;
  readonly "queryFrontend.forwardHeader": readonly string[];
  readonly "queryFrontend.logQueriesLongerThan": number;
  readonly "queryFrontend.maxConcurrent": number;
  readonly "queryFrontend.maxOutstandingPerTenant": number;
  readonly "queryFrontend.maxOutstanding": number;
  readonly "queryFrontend.maxHeldBytes": number;
  readonly "queryFrontend.timeout": number;
  readonly "queryRange.alignRangeWithStep": boolean;
  readonly "queryRange.splitInterval": number;
  readonly "queryRange.maxQueryParallelism": number;
  readonly "queryRange.maxRetriesPerRequest": number;
  readonly "queryRange.responseCacheMaxFreshness": number;
  readonly "queryRange.responseCacheConfig"?: string;
  readonly "queryRange.responseCacheConfigFile"?: string;
  readonly "log.level": LogLevel;
}

export function addQueryFrontendCommand(program: Command): void {
  const { queue, parallelismMax, triesMax, tenantHeaders, defaultTenant } = defaultQueryFrontend;
  program
    .command("query-frontend")
    .description("split, cache and queue queries in front of queriers that hold the same")
    .option("--query-frontend.downstream-url <url>", "of a querier; may be repeated", collectUrl, [])
    .option("--http-address <address>", "of the API, /metrics, /-/healthy and /-/ready", "127.0.0.1:10902")
    .option("--query-range.align-range-with-step", "start and end at multiples of the step", true)
    .option("--no-query-range.align-range-with-step", "leave start and end as they are")
    .addOption(durationOption("--query-range.split-interval <duration>", "of one part; 0s: queries stay whole", "24h"))
    .option("--query-range.max-query-parallelism <number>", "parts of a query at once", readCount, parallelismMax)
    .option("--query-range.max-retries-per-request <number>", "tries of a question", readCount, triesMax)
    .addOption(
      durationOption("--query-range.response-cache-max-freshness <duration>", "what is younger is not kept", "1m"),
    )
    .option("--query-range.response-cache-config <yaml>", "where answers are kept; without it, none are")
    .option("--query-range.response-cache-config-file <file>", "the same in a file")
    .option(
      "--query-frontend.tenant-header <name>",
      "names the tenant; may be repeated; default: " + tenantHeaders.join(", "),
      collectValues,
      [],
    )
    .option("--query-frontend.default-tenant-id <name>", "of requests without it", defaultTenant)
    .option("--query-frontend.forward-header <name>", "goes downstream too; may be repeated", collectValues, [])
    .addOption(
      durationOption(
        "--query-frontend.log-queries-longer-than <duration>",
        "what takes longer is logged; 0s: none",
        "0s",
      ),
    )
    .option("--query-frontend.max-concurrent <number>", "questions to queriers at once", readCount, queue.concurrentMax)
    .option(
      "--query-frontend.max-outstanding-per-tenant <number>",
      "requests of one tenant; more are answered 429",
      readCount,
      queue.requestsPerTenantMax,
    )
    .option(
      "--query-frontend.max-outstanding <number>",
      "requests of all tenants; more are answered 503",
      readCount,
      queue.requestsMax,
    )
    .option(
      "--query-frontend.max-held-bytes <number>",
      "bytes of all answers that are held at once; more are answered 503",
      readCount,
      defaultQueryFrontend.heldBytesMax,
    )
    .addOption(durationOption("--query-frontend.timeout <duration>", "of a whole request", "5m"))
    .addOption(logLevelOption())
    .action(async (flags: QueryFrontendFlags) => await queryFrontendCommand(flags));
}

async function queryFrontendCommand(flags: QueryFrontendFlags): Promise<void> {
  const config = readCacheConfig(flags);
  const world = openRoleWorld(flags["log.level"]);
  const tenantHeaders = flags["queryFrontend.tenantHeader"];
  const started = await startQueryFrontend(
    {
      ...defaultQueryFrontend,
      name: "query-frontend",
      httpAddress: flags.httpAddress,
      downstreamUrls: flags["queryFrontend.downstreamUrl"],
      alignWithStep: flags["queryRange.alignRangeWithStep"],
      splitIntervalMs: flags["queryRange.splitInterval"],
      parallelismMax: flags["queryRange.maxQueryParallelism"],
      triesMax: flags["queryRange.maxRetriesPerRequest"],
      freshnessMsMin: flags["queryRange.responseCacheMaxFreshness"],
      ...(config === undefined
        ? {}
        : {
            cache: await openCache(config, { ...world.ports, connectTcp }),
            cacheTimeoutMs: config.timeoutMs,
            validityMs: config.validityMs,
          }),
      heldBytesMax: flags["queryFrontend.maxHeldBytes"],
      queue: {
        concurrentMax: flags["queryFrontend.maxConcurrent"],
        requestsPerTenantMax: flags["queryFrontend.maxOutstandingPerTenant"],
        requestsMax: flags["queryFrontend.maxOutstanding"],
      },
      ...(tenantHeaders.length === 0 ? {} : { tenantHeaders }),
      defaultTenant: flags["queryFrontend.defaultTenantId"],
      forwardHeaders: flags["queryFrontend.forwardHeader"],
      slowQueryMs: flags["queryFrontend.logQueriesLongerThan"],
      requestTimeoutMs: flags["queryFrontend.timeout"],
      renderMetrics: world.renderMetrics,
      access: accessAt(flags.httpAddress),
    },
    world.ports,
  );
  if (!started.ok) throw new CommandFailure(exitCodes.failed, started.failure.message);
  const { httpAddress } = started.value;
  process.stdout.write(
    `queries on http://${httpAddress}, asked of ${flags["queryFrontend.downstreamUrl"].join(", ")}\n`,
  );
  await runRole(started.value, world);
}

function readCacheConfig(flags: QueryFrontendFlags): CacheConfig | undefined {
  const file = flags["queryRange.responseCacheConfigFile"];
  const given = flags["queryRange.responseCacheConfig"];
  if (file !== undefined && given !== undefined) {
    throw new CommandFailure(exitCodes.badInput, "the cache is configured twice: by a flag and by a file");
  }
  const place = file ?? "--query-range.response-cache-config";
  if (file === undefined && given === undefined) return undefined;
  let value: unknown;
  try {
    value = parse(file === undefined ? (given ?? "") : readFileSync(file, "utf8"));
  } catch (error) {
    throw new CommandFailure(exitCodes.badInput, `${place}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const config = parseCacheConfig(value);
  if (config.ok) return config.value;
  throw new CommandFailure(exitCodes.badInput, config.failure.map((problem) => `${place}: ${problem}`).join("\n"));
}

function collectUrl(text: string, before: readonly string[]): readonly string[] {
  const { protocol } = URL.parse(text) ?? { protocol: "" };
  if (protocol !== "http:" && protocol !== "https:") throw new InvalidArgumentError("expected an http or https URL");
  return [...before, text];
}
