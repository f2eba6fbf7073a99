/**
 * The configuration of object storage as Thanos has it (`--objstore.config`), so that one file serves both:
 *
 *     type: S3
 *     config: { bucket: metrics, endpoint: "s3.example.com", region: eu-1, access_key: …, secret_key: … }
 *     prefix: fleet-1
 *
 * Types S3 and FILESYSTEM are there. A field that Thanos does not know, or that means something that is not there, is a
 * problem by its name, and never passed over.
 */
import { fail, ok, parseDuration, type Result } from "@pleiad/model";
import { keyFault, type Bucket, type Clock, type FileSystem, type Observations, type Random } from "@pleiad/ports";
import { createFileBucket } from "./file-bucket.ts";
import { withMetrics } from "./observed-bucket.ts";
import { withPrefix } from "./prefixed-bucket.ts";
import { createS3Bucket } from "./s3-bucket.ts";
import { defaultS3Transfer, type S3BucketOptions } from "./s3-options.ts";
import type { S3Tls } from "./s3-tls.ts";

export type BucketConfig = { readonly prefix: string } & (
  | { readonly type: "FILESYSTEM"; readonly directory: string }
  | { readonly type: "S3"; readonly s3: S3BucketOptions }
);

export interface BucketConfigPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem;
  readonly observations: Observations;
}

/** The bucket that a configuration names, with metrics. */
export function createBucket(config: BucketConfig, ports: BucketConfigPorts): Bucket {
  const bucket =
    config.type === "S3"
      ? createS3Bucket(config.s3, ports)
      : createFileBucket(config.directory, ports.files, ports.clock);
  const observed = withMetrics(bucket, ports.observations, ports.clock);
  return config.prefix === "" ? observed : withPrefix(observed, config.prefix);
}

/** Checks what a file of YAML or JSON was read into; the failure has every problem. */
export function parseBucketConfig(value: unknown): Result<BucketConfig, readonly string[]> {
  const problems: string[] = [];
  const fields = fieldsOf(value, "", problems);
  const type = fields.text("type");
  const prefix = fields.text("prefix").replace(/^\/+|\/+$/g, "");
  const prefixFault = prefix === "" ? undefined : keyFault(prefix);
  if (prefixFault !== undefined) problems.push(`prefix: ${prefixFault}`);
  const config = fieldsOf(fields.raw("config") ?? {}, "config.", problems);
  let parsed: BucketConfig | undefined;
  switch (type) {
    case "FILESYSTEM": {
      const directory = config.text("directory").replace(/\/+$/, "");
      if (!directory.startsWith("/")) problems.push("config.directory: expected an absolute path");
      parsed = { type, directory, prefix };
      break;
    }
    case "S3":
      parsed = { type, s3: parseS3(config, problems), prefix };
      break;
    default:
      problems.push(`type: expected S3 or FILESYSTEM, not ${JSON.stringify(type)}`);
      return fail(problems);
  }
  config.refuseOthers();
  fields.refuseOthers();
  return problems.length > 0 ? fail(problems) : ok(parsed);
}

/** Fields of Thanos whose values change nothing here: its client's own ways with connections. */
const idleHttpFields = [
  "idle_conn_timeout",
  "tls_handshake_timeout",
  "expect_continue_timeout",
  "max_idle_conns",
  "max_idle_conns_per_host",
  "disable_compression",
];

function parseS3(config: Fields, problems: string[]): S3BucketOptions {
  const bucket = config.text("bucket");
  if (bucket === "") problems.push("config.bucket: is missing");
  const endpoint = config.text("endpoint");
  if (endpoint === "") problems.push("config.endpoint: is missing");
  else if (/^[a-z]+:\/\//.test(endpoint)) problems.push("config.endpoint: expected host:port, without a scheme");
  const isInsecure = config.flag("insecure");
  const [, awsRegion] = /^s3[.-](?:dualstack\.)?([a-z]{2}-[a-z0-9-]+)\.amazonaws\.com/.exec(endpoint) ?? [];
  const isAws = /(?:^|\.)amazonaws\.com(?:\.cn)?(?::\d+)?$/.test(endpoint);
  const region = config.text("region") || (awsRegion ?? "us-east-1");

  const [accessKey, secretKey, sessionToken] = ["access_key", "secret_key", "session_token"].map((name) =>
    config.text(name),
  );
  if ((accessKey === "") !== (secretKey === "")) problems.push("config: access_key and secret_key come together");
  const usesChain = config.flag("aws_sdk_auth");
  if (usesChain && accessKey !== "") problems.push("config.aws_sdk_auth: not beside an access_key");

  const lookup = config.text("bucket_lookup_type") || "auto";
  if (!["auto", "path", "virtual-hosted", "virtual"].includes(lookup)) {
    problems.push("config.bucket_lookup_type: expected auto, path or virtual-hosted");
  }
  const partBytes = config.number("part_size") ?? defaultS3Transfer.partBytes;
  if (partBytes < 5 * 2 ** 20) problems.push("config.part_size: S3 has no parts below 5 MiB");
  const retries = config.number("max_retries") ?? 0;
  const sendsMd5 = config.flag("send_content_md5");

  const http = fieldsOf(config.raw("http_config") ?? {}, "config.http_config.", problems);
  const answerText = http.text("response_header_timeout");
  const answer = answerText === "" ? ok(defaultS3Transfer.answerMs) : parseDuration(answerText);
  if (!answer.ok) problems.push(`config.http_config.response_header_timeout: ${answer.failure}`);
  const connectionsMax = http.number("max_conns_per_host") ?? 0;
  for (const name of idleHttpFields) http.raw(name);
  const tls = parseTls(http, problems);
  http.refuseOthers();

  const listVersion = config.text("list_objects_version");
  if (listVersion !== "" && listVersion !== "v2") problems.push("config.list_objects_version: is v2 here");
  config.refuseUnlessEmpty(
    "trace",
    "signature_version2",
    "put_user_metadata",
    "sse_config",
    "sts_endpoint",
    "disable_multipart",
    "disable_dualstack",
  );
  return {
    bucket,
    region,
    endpoint: `${isInsecure ? "http" : "https"}://${endpoint}`,
    ...(tls === undefined ? {} : { tls }),
    pathStyle: lookup === "path" || (lookup === "auto" && !isAws),
    ...(accessKey === undefined || secretKey === undefined || accessKey === ""
      ? {}
      : { credential: { accessKey, secretKey, ...(sessionToken ? { sessionToken } : {}) } }),
    transfer: {
      ...defaultS3Transfer,
      partBytes,
      sendsMd5,
      answerMs: answer.ok ? answer.value : defaultS3Transfer.answerMs,
      attempts: retries > 0 ? retries : defaultS3Transfer.attempts,
      connectionsMax: connectionsMax > 0 ? connectionsMax : defaultS3Transfer.connectionsMax,
    },
  };
}

/** Undefined where nothing is said: then what Node trusts is trusted. */
function parseTls(http: Fields, problems: string[]): S3Tls | undefined {
  const path = "config.http_config.tls_config";
  const tls = fieldsOf(http.raw("tls_config") ?? {}, `${path}.`, problems);
  const file = (name: string) => {
    const text = tls.text(name);
    if (text !== "" && !text.startsWith("/")) problems.push(`${path}.${name}: expected an absolute path`);
    return text;
  };
  const [authorityFile, certificate, key] = [file("ca_file"), file("cert_file"), file("key_file")];
  const serverName = tls.text("server_name");
  // Thanos has it in both places.
  const skips = [http.flag("insecure_skip_verify"), tls.flag("insecure_skip_verify")];
  tls.refuseOthers();
  if ((certificate === "") !== (key === "")) problems.push(`${path}: cert_file and key_file come together`);
  const skipsVerification = skips.includes(true);
  if (!skipsVerification && authorityFile + certificate + serverName === "") return undefined;
  return {
    skipsVerification,
    ...(authorityFile === "" ? {} : { authorityFile }),
    ...(certificate === "" ? {} : { clientFiles: { certificate, key } }),
    ...(serverName === "" ? {} : { serverName }),
  };
}

/** The fields of one object of a configuration; those that nobody asked for are problems at the end. */
interface Fields {
  raw(name: string): unknown;
  text(name: string): string; // empty, if not given
  flag(name: string): boolean;
  number(name: string): number | undefined;
  /** For what is not there: false, empty and absent say so themselves. */
  refuseUnlessEmpty(...names: readonly string[]): void;
  refuseOthers(): void;
}

function fieldsOf(value: unknown, path: string, problems: string[]): Fields {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject) problems.push(`${path === "" ? "the configuration" : path.slice(0, -1)}: expected fields`);
  const left = new Map<string, unknown>(Object.entries(isObject ? value : {}));
  const take = (name: string) => {
    const taken = left.get(name);
    left.delete(name);
    return taken ?? undefined;
  };
  const expected = (name: string, what: string) => void problems.push(`${path}${name}: expected ${what}`);
  return {
    raw: take,
    text: (name) => {
      const taken = take(name);
      if (typeof taken === "string" || taken === undefined) return taken ?? "";
      expected(name, "a text");
      return "";
    },
    flag: (name) => {
      const taken = take(name);
      if (typeof taken === "boolean" || taken === undefined) return taken ?? false;
      expected(name, "true or false");
      return false;
    },
    number: (name) => {
      const taken = take(name);
      if (taken === undefined || (typeof taken === "number" && Number.isInteger(taken) && taken >= 0)) return taken;
      expected(name, "a whole number");
      return undefined;
    },
    refuseUnlessEmpty: (...names) => {
      for (const name of names) {
        const taken = take(name);
        const isEmpty = taken === undefined || taken === false || taken === "" || isHollow(taken);
        if (!isEmpty) problems.push(`${path}${name}: is not there yet`);
      }
    },
    refuseOthers: () => {
      for (const name of left.keys()) problems.push(`${path}${name}: unknown`);
    },
  };
}

/** An object whose fields, if it has any, say nothing. */
function isHollow(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).every((one) => one === "" || one === false || one === null || isHollow(one));
}
