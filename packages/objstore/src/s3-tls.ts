/** Whom connections to S3 trust, and as whom they show themselves: `http_config.tls_config` of Thanos. */
import { BucketError, FileError, type FileSystem } from "@pleiad/ports";

/** Files of PEM by absolute path, read at the first request. */
export interface S3Tls {
  /** In place of the authorities that Node trusts. */
  readonly authorityFile?: string;
  readonly clientFiles?: { readonly certificate: string; readonly key: string };
  /** The name that the server's certificate must have, if it is not that of the endpoint. */
  readonly serverName?: string;
  /** Whoever answers is believed: for those who ask for it by name. */
  readonly skipsVerification: boolean;
}

/** As Node's agents for HTTPS take it. */
export interface TlsAgentOptions {
  readonly rejectUnauthorized?: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** Throws BucketError "unavailable" for a file that cannot be read. */
export async function tlsAgentOptions(
  tls: S3Tls | undefined,
  files: Pick<FileSystem, "readFile">,
): Promise<TlsAgentOptions> {
  if (tls === undefined) return {};
  const read = async (path: string) => {
    try {
      return new TextDecoder().decode(await files.readFile(path));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      throw new BucketError("unavailable", path, `a file for TLS cannot be read: ${error.message}`);
    }
  };
  const { authorityFile, clientFiles, serverName, skipsVerification } = tls;
  return {
    rejectUnauthorized: !skipsVerification,
    ...(authorityFile === undefined ? {} : { ca: await read(authorityFile) }),
    ...(clientFiles === undefined
      ? {}
      : { cert: await read(clientFiles.certificate), key: await read(clientFiles.key) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}
