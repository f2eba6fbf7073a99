/** Where a bucket in S3 is, and how it is spoken with. */
import type { Clock, FileSystem, Observations, Random } from "@pleiad/ports";
import type { RetryOptions } from "./retry.ts";
import type { S3Tls } from "./s3-tls.ts";

export interface S3BucketOptions {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string; // a URL; AWS's own, if not given
  readonly pathStyle?: boolean; // the bucket in the path, not in the host
  /** If not given, the SDK looks for one: environment, files, the identity of a pod or a machine. */
  readonly credential?: { readonly accessKey: string; readonly secretKey: string; readonly sessionToken?: string };
  readonly transfer?: S3Transfer;
  /** Of an endpoint over HTTPS. */
  readonly tls?: S3Tls;
}

/** How requests are made. At most `partBytes * (partsAtOnce + 1)` of a body are held. */
export interface S3Transfer extends RetryOptions {
  readonly partBytes: number; // S3 takes 5 MiB and more, 10,000 of them
  readonly partsAtOnce: number;
  readonly connectionsMax: number;
  readonly connectMs: number;
  /** An attempt has this long, and beside it the time that its bytes take at the slowest speed. */
  readonly answerMs: number;
  readonly bytesPerSecondMin: number;
  /** Whether bodies have their MD5 with them. The signature holds their SHA-256 already: it is for servers that want both. */
  readonly sendsMd5: boolean;
}

export const defaultS3Transfer: S3Transfer = {
  attempts: 5,
  pauseMs: 200,
  pauseMsMax: 10_000,
  partBytes: 16 * 2 ** 20,
  partsAtOnce: 3,
  connectionsMax: 64,
  connectMs: 5_000,
  answerMs: 30_000,
  bytesPerSecondMin: 131_072,
  sendsMd5: false,
};

export interface S3BucketPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly observations: Pick<Observations, "log">;
  /** For the files that TLS needs. */
  readonly files: Pick<FileSystem, "readFile">;
}
