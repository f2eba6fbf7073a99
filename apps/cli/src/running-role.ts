/** What the commands share that run one role in the foreground: its ports, its metrics, its addresses, its end. */
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { loopbackAccess, type AccessOptions } from "@pleiad/http-api";
import { parseDuration } from "@pleiad/model";
import { createLog, createNodePorts } from "@pleiad/node-ports";
import { createBucket } from "@pleiad/objstore";
import type { Bucket, LogLevel, Ports, Service } from "@pleiad/ports";
import { InvalidArgumentError, Option } from "commander";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { bucketConfigOf, parseObjectStorage, readObjectStorageFile } from "./object-storage-input.ts";

export interface RoleWorld {
  readonly ports: Ports;
  readonly renderMetrics: () => string;
  /** Aborted when the process is told to end. */
  readonly stopping: AbortSignal;
}

/** The longest body of a request that is taken at all; a role's own limits are below it. */
const requestBodyBytesMax = 64 * 1024 * 1024;

/** Of one listener: hundreds of senders have tens of connections each. */
const connectionsMax = 16_384;

/** As Kubernetes gives it to a pod, less what it takes to exit. */
const stopGraceMs = 10_000;

export function openRoleWorld(level: LogLevel): RoleWorld {
  const registry = createMetricRegistry();
  const observations = observationsOf(registry, createLog({ level }));
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => stopping.abort());
  return {
    ports: createNodePorts({ observations, limits: { http: { requestBodyBytesMax, connectionsMax } } }),
    renderMetrics: () => registry.render(),
    stopping: stopping.signal,
  };
}

/** Runs a role until the process is told to end. */
export async function runRole(role: Service, { stopping }: RoleWorld): Promise<never> {
  if (!stopping.aborted) {
    await new Promise<void>((resolve) => stopping.addEventListener("abort", () => resolve(), { once: true }));
  }
  await role.stop(stopGraceMs);
  // Idle connections would keep the process for as long as they last.
  process.exit(exitCodes.done);
}

/** Probes come by any name where a listener is opened to others: something in front of it judges who may call. */
export function accessAt(address: string): AccessOptions {
  const host = address.replace(/:\d*$/, "").toLowerCase();
  return loopbackAccess.hosts.includes(host) ? loopbackAccess : { hosts: "any", origins: [] };
}

/** As commander names what `--objstore.config-file` and `--objstore.config` give. */
export interface ObjectStorageFlags {
  readonly "objstore.configFile"?: string;
  readonly "objstore.config"?: string;
}

/** The bucket that the flags name, by a file or in their own text; undefined where they name none. */
export function bucketOf(flags: ObjectStorageFlags, ports: Ports): Bucket | undefined {
  const { "objstore.configFile": file, "objstore.config": text } = flags;
  if (file === undefined && text === undefined) return undefined;
  if (file !== undefined && text !== undefined) {
    throw new CommandFailure(exitCodes.badInput, "give --objstore.config-file or --objstore.config, not both");
  }
  const [value, place] =
    file === undefined
      ? [parseObjectStorage(text ?? "", "--objstore.config"), "--objstore.config"]
      : [readObjectStorageFile(file), file];
  return createBucket(bucketConfigOf(value, place), ports);
}

/** A flag that takes a duration, with a default in the same words. */
export function durationOption(flags: string, description: string, usual: string): Option {
  return new Option(flags, description).argParser(readDuration).default(readDuration(usual), usual);
}

export function readDuration(text: string): number {
  const duration = parseDuration(text);
  if (!duration.ok) throw new InvalidArgumentError("expected a duration such as 30s, 2h or 15d");
  return duration.value;
}

export function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError("expected a whole number above 0");
  return count;
}

export const logLevelOption = () =>
  new Option("--log.level <level>", "of lines on standard error")
    .choices(["debug", "info", "warn", "error"])
    .default("info");
