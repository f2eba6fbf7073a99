/** TLS from PEM files: what a client connects with, and a server's certificate that is read anew when its files change. */
import { readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import {
  checkServerIdentity,
  createSecureContext,
  type ConnectionOptions,
  type SecureContextOptions,
  type Server as TlsServer,
  type TLSSocket,
} from "node:tls";
import type { ClientTls, Clock, Observations, ServerTls, TlsVersion } from "@pleiad/ports";
import { reasonOf } from "./address.ts";

const nodeVersions = { "1.2": "TLSv1.2", "1.3": "TLSv1.3" } as const satisfies Record<TlsVersion, string>;

/** What a connection to the host is made with, from the files as they are now. Rejects with an Error that names a file. */
export async function clientTlsOptions(tls: ClientTls, host: string): Promise<ConnectionOptions> {
  const [ca, cert, key] = await Promise.all(
    [tls.caFile, tls.certFile, tls.keyFile].map(async (path) => (path === undefined ? undefined : await readPem(path))),
  );
  const name = tls.serverName ?? host;
  const secureContext = createSecureContext({
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    minVersion: nodeVersions[tls.minVersion],
  });
  return {
    secureContext,
    ALPNProtocols: ["h2"],
    rejectUnauthorized: tls.verifiesServer,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    // An address of numbers is no server name that TLS could carry.
    ...(isIP(name) === 0 ? { servername: name } : {}),
  };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`certificate file ${path}: ${codeOf(error)}`, { cause: error });
  }
}

/** What a server of `protocol` listens with. Throws an Error that names a file. */
export function serverTlsOptions(tls: ServerTls, protocol: "h2" | "http/1.1") {
  const requestsCertificate = tls.clientCaFile !== undefined;
  return {
    ...readServerFiles(tls),
    requestCert: requestsCertificate,
    rejectUnauthorized: requestsCertificate,
    ALPNProtocols: [protocol],
    handshakeTimeout: 10_000,
  };
}

/** Has a server take up certificates that change, and tell of handshakes that fail: one a second is enough to know it. */
export function watchHandshakes(
  server: Pick<TlsServer, "on" | "prependListener" | "setSecureContext">,
  tls: ServerTls,
  address: string,
  { clock, observations }: { readonly clock: Clock; readonly observations: Pick<Observations, "log"> },
): void {
  const certificates = followCertificates(tls, (reason) =>
    observations.log("error", "the certificate files are no use; those before hold", { address, reason }),
  );
  // Before Node's own listener, which begins the handshake.
  server.prependListener("connection", () => {
    const changed = certificates.changed();
    if (changed !== undefined) server.setSecureContext(changed);
  });
  let quietUntilMs = -Infinity;
  server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
    socket.destroy();
    // Whoever can connect can make these.
    if (clock.monotonicMs() < quietUntilMs) return;
    quietUntilMs = clock.monotonicMs() + 1000;
    const peer = socket.remoteAddress ?? "unknown";
    observations.log("warn", "a TLS handshake failed", { peer, reason: handshakeReason(error) ?? reasonOf(error) });
  });
}

export interface CertificateFollower {
  /**
   * What new connections are to be made with, if the files have changed since it was asked last: a few stats. Files that
   * do not fit together, as in the middle of a change, are left for the next time; `onFault` is told once for each.
   */
  changed(): SecureContextOptions | undefined;
}

export function followCertificates(tls: ServerTls, onFault: (reason: string) => void): CertificateFollower {
  let seen = versionOf(tls);
  let lastFault: string | undefined;
  return {
    changed: () => {
      const version = versionOf(tls);
      if (version === seen) return undefined;
      try {
        const options = readServerFiles(tls);
        createSecureContext(options); // throws where the key is not that of the certificate
        seen = version;
        lastFault = undefined;
        return options;
      } catch (error) {
        const fault = error instanceof Error ? error.message : String(error);
        if (fault !== lastFault) onFault(fault);
        lastFault = fault;
        return undefined;
      }
    },
  };
}

function readServerFiles({ certFile, keyFile, clientCaFile, minVersion }: ServerTls): SecureContextOptions {
  const read = (path: string) => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw new Error(`certificate file ${path}: ${codeOf(error)}`, { cause: error });
    }
  };
  return {
    cert: read(certFile),
    key: read(keyFile),
    ...(clientCaFile === undefined ? {} : { ca: read(clientCaFile) }),
    minVersion: nodeVersions[minVersion],
  };
}

/** Differs when one of the files has changed. Links are followed: Kubernetes changes a mounted Secret by its link. */
function versionOf({ certFile, keyFile, clientCaFile }: ServerTls): string {
  return [certFile, keyFile, clientCaFile]
    .flatMap((path) => {
      const status = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
      return status === undefined ? "-" : `${status.ino} ${status.mtimeMs} ${status.size}`;
    })
    .join(" ");
}

const codeOf = (error: unknown) => (error as { readonly code?: string }).code ?? String(error);

/** A failed handshake in words, for what Node and OpenSSL have only codes; undefined for what is none. */
export function handshakeReason(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return typeof code === "string" ? handshakeReasons[code] : undefined;
}

const untrusted = "its certificate is not signed by an authority that is trusted here";

const handshakeReasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has ended",
  CERT_NOT_YET_VALID: "its certificate has not begun",
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it does not speak TLS",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "it refuses the certificate that it was shown",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "it refuses the certificate that it was shown: it has ended",
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: "it refuses the handshake",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "it wants a certificate, and was shown none",
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: "it refuses the certificate that it was shown",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "no version of TLS that both speak",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "it does not trust the authority of the certificate that it was shown",
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: "it does not know the server name",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "no version of TLS that both speak",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "it showed no certificate",
  ERR_SSL_HTTP_REQUEST: "it does not speak TLS",
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
};
