import { seededRandom } from "@pleiad/ports";
import { manualClock, memoryFiles, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createBucket, parseBucketConfig } from "./bucket-config.ts";

const parse = (value: unknown) => {
  const result = parseBucketConfig(value);
  return result.ok ? result.value : result.failure;
};
const s3 = (config: Readonly<Record<string, unknown>>) => {
  const parsed = parse({ type: "S3", config: { bucket: "metrics", endpoint: "store:9000", ...config } });
  return "type" in parsed && parsed.type === "S3" ? parsed.s3 : parsed;
};

describe("configuration of a bucket", () => {
  it("is read as Thanos has it", () => {
    expect(
      parse({
        type: "S3",
        config: {
          bucket: "metrics",
          endpoint: "store.local:9000",
          region: "eu-1",
          access_key: "key",
          secret_key: "secret",
          insecure: true,
          part_size: 67_108_864,
          max_retries: 3,
          http_config: { response_header_timeout: "2m", idle_conn_timeout: "1m30s", max_conns_per_host: 10 },
          trace: { enable: false },
          put_user_metadata: {},
          sse_config: { type: "", kms_key_id: "" },
        },
        prefix: "/fleet-1/",
      }),
    ).toMatchObject({
      type: "S3",
      prefix: "fleet-1",
      s3: {
        bucket: "metrics",
        endpoint: "http://store.local:9000",
        region: "eu-1",
        pathStyle: true,
        credential: { accessKey: "key", secretKey: "secret" },
        transfer: { partBytes: 67_108_864, attempts: 3, answerMs: 120_000, connectionsMax: 10, sendsMd5: false },
      },
    });
  });

  it("without keys leaves it to the SDK to find some", () => {
    expect(s3({})).not.toHaveProperty("credential");
  });

  it.each([
    ["s3.eu-west-1.amazonaws.com", "auto", "eu-west-1", false],
    ["s3.amazonaws.com", "auto", "us-east-1", false],
    ["s3.eu-west-1.amazonaws.com", "path", "eu-west-1", true],
    ["minio:9000", "auto", "us-east-1", true],
    ["minio:9000", "virtual-hosted", "us-east-1", false],
  ])("of %s with lookup %s means region %s, bucket in the path: %s", (endpoint, lookup, region, pathStyle) => {
    expect(s3({ endpoint, bucket_lookup_type: lookup })).toMatchObject({
      region,
      pathStyle,
      endpoint: `https://${endpoint}`,
    });
  });

  it.each([
    ["nothing", {}, undefined],
    [
      "nothing, in many words",
      { tls_config: { ca_file: "", server_name: "" }, insecure_skip_verify: false },
      undefined,
    ],
    ["an authority", { tls_config: { ca_file: "/ca" } }, { skipsVerification: false, authorityFile: "/ca" }],
    ["a name", { tls_config: { server_name: "s3" } }, { skipsVerification: false, serverName: "s3" }],
    [
      "a certificate of its own",
      { tls_config: { cert_file: "/c", key_file: "/k" } },
      { skipsVerification: false, clientFiles: { certificate: "/c", key: "/k" } },
    ],
    ["no verification", { tls_config: { insecure_skip_verify: true } }, { skipsVerification: true }],
    ["no verification, beside tls_config", { insecure_skip_verify: true }, { skipsVerification: true }],
  ])("of TLS says %s", (_, httpConfig, tls) => {
    const parsed = s3({ http_config: httpConfig });
    expect("bucket" in parsed ? parsed.tls : parsed).toEqual(tls);
  });

  it.each<readonly [string, unknown, readonly string[]]>([
    ["nothing", undefined, ["the configuration: expected fields", 'type: expected S3 or FILESYSTEM, not ""']],
    ["another type", { type: "GCS", config: {} }, ['type: expected S3 or FILESYSTEM, not "GCS"']],
    ["no fields", { type: "S3" }, ["config.bucket: is missing", "config.endpoint: is missing"]],
    [
      "a relative folder",
      { type: "FILESYSTEM", config: { directory: "data" } },
      ["config.directory: expected an absolute path"],
    ],
    [
      "fields that nobody knows",
      { type: "FILESYSTEM", config: { directory: "/data", buket: "x" }, prefixes: "" },
      ["config.buket: unknown", "prefixes: unknown"],
    ],
    [
      "what is wrong in many ways",
      {
        type: "S3",
        config: {
          bucket: 7,
          endpoint: "http://store",
          access_key: "key",
          part_size: 1024,
          insecure: "yes",
          sse_config: { type: "SSE-S3" },
          signature_version2: true,
          bucket_lookup_type: "dns",
          list_objects_version: "v1",
          trace: { enable: true },
          http_config: {
            insecure_skip_verify: "no",
            response_header_timeout: "soon",
            tls_config: { ca_file: "ca.pem", cert_file: "/client.pem", min_version: "TLS13" },
          },
        },
        prefix: "a/../b",
      },
      [
        'prefix: segment ".."',
        "config.bucket: expected a text",
        "config.bucket: is missing",
        "config.endpoint: expected host:port, without a scheme",
        "config.insecure: expected true or false",
        "config: access_key and secret_key come together",
        "config.bucket_lookup_type: expected auto, path or virtual-hosted",
        "config.part_size: S3 has no parts below 5 MiB",
        "config.http_config.response_header_timeout: ",
        "config.http_config.tls_config.ca_file: expected an absolute path",
        "config.http_config.insecure_skip_verify: expected true or false",
        "config.http_config.tls_config.min_version: unknown",
        "config.http_config.tls_config: cert_file and key_file come together",
        "config.list_objects_version: is v2 here",
        "config.trace: is not there yet",
        "config.signature_version2: is not there yet",
        "config.sse_config: is not there yet",
      ],
    ],
  ])("of %s tells every problem", (_rule, value, problems) => {
    const found = parse(value);
    expect(found).toHaveLength(problems.length);
    expect(found).toEqual(problems.map((problem) => expect.stringContaining(problem)));
  });

  it("makes a bucket in a folder, under its prefix", async () => {
    const files = memoryFiles();
    const parsed = parseBucketConfig({ type: "FILESYSTEM", config: { directory: "/data/" }, prefix: "one" });
    if (!parsed.ok) throw new Error(parsed.failure.join());
    const clock = manualClock();
    const ports = { clock, random: seededRandom(1), files, observations: silentObservations() };
    await createBucket(parsed.value, ports).put("a", new TextEncoder().encode("x"));
    expect(files.contents.has("/data/one/a")).toBe(true);
  });
});
