/** `pleiad receive`: takes remote write, serves it over StoreAPI, uploads it. Flags are those of Thanos where it has them. */
import { resolve } from "node:path";
import { labelsFromPairs } from "@pleiad/model";
import type { LogLevel } from "@pleiad/ports";
import { defaultReceiver, startReceiver } from "@pleiad/role-receiver";
import { InvalidArgumentError, type Command } from "commander";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import {
  addRemoteWriteTlsOptions,
  addServerTlsOptions,
  remoteWriteTlsOf,
  serverTlsOf,
  type RemoteWriteTlsFlags,
  type ServerTlsFlags,
} from "../grpc-tls-options.ts";
import {
  accessAt,
  bucketOf,
  durationOption,
  logLevelOption,
  openRoleWorld,
  readCount,
  runRole,
  type ObjectStorageFlags,
} from "../running-role.ts";

/** By the names that commander makes of the flags. */
interface ReceiveFlags extends ObjectStorageFlags, ServerTlsFlags, RemoteWriteTlsFlags {
  readonly "remoteWrite.address": string;
  readonly "tsdb.path": string;
  readonly "tsdb.retention": number;
  readonly "tsdb.outOfOrder.timeWindow": number;
  readonly "tsdb.tooFarInFuture.timeWindow": number;
  readonly label: readonly (readonly [name: string, value: string])[];
  readonly "receive.tenantHeader": string;
  readonly "receive.defaultTenantId": string;
  readonly "receive.tenantLabelName": string;
  readonly "receive.tenantsFile"?: string;
  readonly "receive.tenantsMax": number;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly "log.level": LogLevel;
}

export function addReceiveCommand(program: Command): void {
  const command = program
    .command("receive")
    .description("take remote write, keep a database a tenant, serve them over StoreAPI and upload their blocks")
    .option("--remote-write.address <address>", "takes POST /api/v1/receive", "127.0.0.1:19291")
    .option("--tsdb.path <folder>", "holds a folder a tenant", "./data")
    .addOption(durationOption("--tsdb.retention <duration>", "of blocks; none goes before it is uploaded", "15d"))
    .addOption(durationOption("--tsdb.out-of-order.time-window <duration>", "samples so much late are taken", "0s"))
    .addOption(
      durationOption("--tsdb.too-far-in-future.time-window <duration>", "samples further ahead are refused", "10m"),
    )
    .option("--label <name=value>", "on all series, to tell replicas apart; may be repeated", readLabel, [])
    .option("--receive.tenant-header <name>", "names the tenant of a request", "THANOS-TENANT")
    .option("--receive.default-tenant-id <name>", "of requests without it", "default-tenant")
    .option("--receive.tenant-label-name <name>", "the label with the tenant's name", "tenant_id")
    .option("--receive.tenants-file <file>", "labels and limits of tenants, read anew every 15 seconds")
    .option("--receive.tenants-max <number>", "tenants taken", readCount, defaultReceiver.tenantsMax)
    .option("--objstore.config-file <file>", "object storage for blocks; without it they stay until retention")
    .option("--objstore.config <yaml>", "the same as a text")
    .option("--grpc-address <address>", "of StoreAPI", "127.0.0.1:10901")
    .option("--http-address <address>", "of /metrics, /-/healthy and /-/ready", "127.0.0.1:10902")
    .addOption(logLevelOption());
  addRemoteWriteTlsOptions(addServerTlsOptions(command)).action(
    async (flags: ReceiveFlags) => await receiveCommand(flags),
  );
}

async function receiveCommand(flags: ReceiveFlags): Promise<void> {
  const world = openRoleWorld(flags["log.level"]);
  const bucket = bucketOf(flags, world.ports);
  const tenantsFile = flags["receive.tenantsFile"];
  const started = await startReceiver(
    {
      ...defaultReceiver,
      name: "receiver",
      directory: resolve(flags["tsdb.path"]),
      remoteWriteAddress: flags["remoteWrite.address"],
      remoteWriteTls: remoteWriteTlsOf(flags),
      grpcAddress: flags.grpcAddress,
      grpcTls: serverTlsOf(flags),
      httpAddress: flags.httpAddress,
      labels: labelsFromPairs(flags.label),
      tenantHeader: flags["receive.tenantHeader"],
      defaultTenant: flags["receive.defaultTenantId"],
      tenantLabelName: flags["receive.tenantLabelName"],
      ...(tenantsFile === undefined ? {} : { tenantsFile: resolve(tenantsFile) }),
      tenantsMax: flags["receive.tenantsMax"],
      retentionMs: flags["tsdb.retention"],
      outOfOrderWindowMs: flags["tsdb.outOfOrder.timeWindow"],
      futureMaxMs: flags["tsdb.tooFarInFuture.timeWindow"],
      ...(bucket === undefined ? {} : { objectStorage: bucket }),
      renderMetrics: world.renderMetrics,
      access: accessAt(flags.httpAddress),
    },
    world.ports,
  );
  if (!started.ok) throw new CommandFailure(exitCodes.failed, started.failure.message);
  const { remoteWriteAddress, grpcAddress } = started.value;
  process.stdout.write(`remote write on http://${remoteWriteAddress}/api/v1/receive, StoreAPI on ${grpcAddress}\n`);
  await runRole(started.value, world);
}

function readLabel(
  text: string,
  before: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  // Thanos wants the value in quotes; both forms are taken.
  const [, name, quoted, bare] = /^([a-zA-Z_][a-zA-Z0-9_]*)=(?:"(.*)"|(.*))$/.exec(text) ?? [];
  const value = quoted ?? bare ?? "";
  if (name === undefined || value === "") throw new InvalidArgumentError('expected name="value"');
  return [...before, [name, value]];
}
