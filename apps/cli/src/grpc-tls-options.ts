/** Flags of connections, TLS and compression, as the roles that run in the foreground take them: those of Thanos. */
import {
  rpcCompressions,
  type ClientTls,
  type RpcClientOptions,
  type RpcCompression,
  type ServerTls,
  type TlsVersion,
} from "@pleiad/ports";
import { Option, type Command } from "commander";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

/** By the names that commander makes of the flags. */
export interface ServerTlsFlags {
  readonly grpcServerTlsCert?: string;
  readonly grpcServerTlsKey?: string;
  readonly grpcServerTlsClientCa?: string;
  readonly grpcServerTlsMinVersion: TlsVersion;
}

export interface RemoteWriteTlsFlags {
  readonly "remoteWrite.serverTlsCert"?: string;
  readonly "remoteWrite.serverTlsKey"?: string;
  readonly "remoteWrite.serverTlsClientCa"?: string;
  readonly "remoteWrite.serverTlsMinVersion": TlsVersion;
}

export interface ClientTlsFlags {
  readonly grpcClientTlsSecure: boolean;
  readonly grpcClientTlsSkipVerify: boolean;
  readonly grpcClientTlsCert?: string;
  readonly grpcClientTlsKey?: string;
  readonly grpcClientTlsCa?: string;
  readonly grpcClientServerName?: string;
  readonly grpcClientTlsMinVersion: TlsVersion;
  readonly grpcCompression: RpcCompression | "none";
}

const versionOption = (flag: string) =>
  new Option(`${flag} <version>`, "the oldest version of TLS that is spoken").choices(["1.2", "1.3"]).default("1.3");

export function addServerTlsOptions(command: Command): Command {
  return command
    .option("--grpc-server-tls-cert <file>", "certificate of StoreAPI, PEM; without it, plain text")
    .option("--grpc-server-tls-key <file>", "its key; both are read anew when they change")
    .option("--grpc-server-tls-client-ca <file>", "only clients with a certificate that it signed")
    .addOption(versionOption("--grpc-server-tls-min-version"));
}

export function addRemoteWriteTlsOptions(command: Command): Command {
  return command
    .option("--remote-write.server-tls-cert <file>", "certificate of remote write, PEM; without it, plain text")
    .option("--remote-write.server-tls-key <file>", "its key; both are read anew when they change")
    .option("--remote-write.server-tls-client-ca <file>", "only senders with a certificate that it signed")
    .addOption(versionOption("--remote-write.server-tls-min-version"));
}

export function addClientTlsOptions(command: Command): Command {
  return command
    .option("--grpc-client-tls-secure", "speak TLS to endpoints, unless their file says otherwise", false)
    .option("--grpc-client-tls-skip-verify", "whoever they are", false)
    .option("--grpc-client-tls-cert <file>", "certificate that is shown to them, PEM")
    .option("--grpc-client-tls-key <file>", "its key; both are read anew when they change")
    .option("--grpc-client-tls-ca <file>", "who may sign theirs; default: those that this machine trusts")
    .option("--grpc-client-server-name <name>", "that their certificates must have; default: the host of the address")
    .addOption(versionOption("--grpc-client-tls-min-version"))
    .addOption(
      new Option(
        "--grpc-compression <algorithm>",
        "of requests and of the answers to them, unless a file says otherwise",
      )
        .choices(["none", ...rpcCompressions])
        .default("none"),
    );
}

/** Throws CommandFailure where one of the two files is named without the other. */
export function serverTlsOf(flags: ServerTlsFlags): ServerTls | undefined {
  return tlsOfFiles("--grpc-server-tls", {
    certFile: flags.grpcServerTlsCert,
    keyFile: flags.grpcServerTlsKey,
    clientCaFile: flags.grpcServerTlsClientCa,
    minVersion: flags.grpcServerTlsMinVersion,
  });
}

export function remoteWriteTlsOf(flags: RemoteWriteTlsFlags): ServerTls | undefined {
  return tlsOfFiles("--remote-write.server-tls", {
    certFile: flags["remoteWrite.serverTlsCert"],
    keyFile: flags["remoteWrite.serverTlsKey"],
    clientCaFile: flags["remoteWrite.serverTlsClientCa"],
    minVersion: flags["remoteWrite.serverTlsMinVersion"],
  });
}

interface ServerFiles {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly clientCaFile: string | undefined;
  readonly minVersion: TlsVersion;
}

function tlsOfFiles(flag: string, { certFile, keyFile, clientCaFile, minVersion }: ServerFiles): ServerTls | undefined {
  if (certFile === undefined && keyFile === undefined) {
    if (clientCaFile === undefined) return undefined;
    throw new CommandFailure(exitCodes.badInput, `${flag}-client-ca needs ${flag}-cert and -key`);
  }
  if (certFile === undefined || keyFile === undefined) {
    throw new CommandFailure(exitCodes.badInput, `${flag}-cert and ${flag}-key go together`);
  }
  return { certFile, keyFile, ...(clientCaFile === undefined ? {} : { clientCaFile }), minVersion };
}

/** How endpoints are spoken to whose file says nothing of it; throws CommandFailure for flags that contradict. */
export function clientConnectionOf(flags: ClientTlsFlags): RpcClientOptions {
  const compression = flags.grpcCompression === "none" ? {} : { compression: flags.grpcCompression };
  if (!flags.grpcClientTlsSecure) return compression;
  const { grpcClientTlsCert: certFile, grpcClientTlsKey: keyFile, grpcClientTlsCa: caFile } = flags;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new CommandFailure(exitCodes.badInput, "--grpc-client-tls-cert and --grpc-client-tls-key go together");
  }
  const serverName = flags.grpcClientServerName;
  const tls: ClientTls = {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
    ...(serverName === undefined ? {} : { serverName }),
    verifiesServer: !flags.grpcClientTlsSkipVerify,
    minVersion: flags.grpcClientTlsMinVersion,
  };
  return { tls, ...compression };
}
