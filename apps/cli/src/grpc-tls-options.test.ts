import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { CommandFailure } from "./exit-codes.ts";
import {
  addClientTlsOptions,
  addRemoteWriteTlsOptions,
  addServerTlsOptions,
  clientConnectionOf,
  remoteWriteTlsOf,
  serverTlsOf,
  type ClientTlsFlags,
  type RemoteWriteTlsFlags,
  type ServerTlsFlags,
} from "./grpc-tls-options.ts";

/** What the flags mean, or what is said of them. */
function read(args: string): unknown {
  let meaning: unknown;
  const command = new Command("role").exitOverride().configureOutput({ writeErr: () => {} });
  addRemoteWriteTlsOptions(addServerTlsOptions(addClientTlsOptions(command))).action(
    (flags: ClientTlsFlags & ServerTlsFlags & RemoteWriteTlsFlags) => {
      const tls = serverTlsOf(flags);
      const remoteWrite = remoteWriteTlsOf(flags);
      meaning = {
        ...clientConnectionOf(flags),
        ...(tls === undefined ? {} : { server: tls }),
        ...(remoteWrite === undefined ? {} : { remoteWrite }),
      };
    },
  );
  try {
    command.parse(args.split(" ").filter(Boolean), { from: "user" });
  } catch (error) {
    if (error instanceof CommandFailure) return `${error.exitCode}: ${error.message}`;
    return error instanceof Error ? error.message : error;
  }
  return meaning;
}

const secure = { verifiesServer: true, minVersion: "1.3" };

describe("flags of connections", () => {
  for (const [rule, args, meaning] of [
    ["by default all is plain text", "", {}],
    ["endpoints over TLS", "--grpc-client-tls-secure", { tls: secure }],
    [
      "who signs theirs, and what is shown to them",
      "--grpc-client-tls-secure --grpc-client-tls-ca ca --grpc-client-tls-cert c --grpc-client-tls-key k",
      { tls: { ...secure, caFile: "ca", certFile: "c", keyFile: "k" } },
    ],
    [
      "another name, an older version, whoever they are",
      "--grpc-client-tls-secure --grpc-client-server-name thanos --grpc-client-tls-min-version 1.2 --grpc-client-tls-skip-verify",
      { tls: { verifiesServer: false, minVersion: "1.2", serverName: "thanos" } },
    ],
    ["certificates say nothing where TLS is not asked for, as in Thanos", "--grpc-client-tls-ca ca", {}],
    ["compression in plain text", "--grpc-compression snappy", { compression: "snappy" }],
    ["compression over TLS", "--grpc-client-tls-secure --grpc-compression=gzip", { tls: secure, compression: "gzip" }],
    ["compression by name none", "--grpc-compression none", {}],
    [
      "a certificate of its own",
      "--grpc-server-tls-cert c --grpc-server-tls-key k",
      { server: { certFile: "c", keyFile: "k", minVersion: "1.3" } },
    ],
    [
      "only known clients",
      "--grpc-server-tls-cert c --grpc-server-tls-key k --grpc-server-tls-client-ca ca --grpc-server-tls-min-version 1.2",
      { server: { certFile: "c", keyFile: "k", clientCaFile: "ca", minVersion: "1.2" } },
    ],
    [
      "remote write by another one",
      "--remote-write.server-tls-cert c --remote-write.server-tls-key k --remote-write.server-tls-client-ca ca",
      { remoteWrite: { certFile: "c", keyFile: "k", clientCaFile: "ca", minVersion: "1.3" } },
    ],
  ] as const) {
    it(rule, () => expect(read(args)).toEqual(meaning));
  }

  for (const [args, said] of [
    ["--grpc-server-tls-cert c", "2: --grpc-server-tls-cert and --grpc-server-tls-key go together"],
    ["--grpc-server-tls-key k", "2: --grpc-server-tls-cert and --grpc-server-tls-key go together"],
    ["--grpc-server-tls-client-ca ca", "2: --grpc-server-tls-client-ca needs --grpc-server-tls-cert and -key"],
    [
      "--remote-write.server-tls-cert c",
      "2: --remote-write.server-tls-cert and --remote-write.server-tls-key go together",
    ],
    [
      "--remote-write.server-tls-client-ca ca",
      "2: --remote-write.server-tls-client-ca needs --remote-write.server-tls-cert and -key",
    ],
    [
      "--grpc-client-tls-secure --grpc-client-tls-cert c",
      "2: --grpc-client-tls-cert and --grpc-client-tls-key go together",
    ],
  ] as const) {
    it(`${args} is refused`, () => expect(read(args)).toBe(said));
  }

  it("names what it does not know", () => {
    expect(read("--grpc-compression zstd")).toMatch(/zstd.*none, gzip, snappy/);
    expect(read("--grpc-server-tls-min-version 1.1")).toMatch(/1\.1.*1\.2, 1\.3/);
  });
});
