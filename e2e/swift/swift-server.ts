/** Debian's Swift with its S3 API, one of each server on loopback, in a folder that goes away with it. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CreateBucketCommand, DeleteObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { eventually, temporaryFolder } from "../twin-under-test.ts";

export interface SwiftServer {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Makes an empty bucket of that name. */
  emptyBucket(name: string): Promise<void>;
  stop(): Promise<void>;
}

const programs = [
  "swift-proxy-server",
  "swift-account-server",
  "swift-container-server",
  "swift-object-server",
  "swift-ring-builder",
  "memcached",
];
const region = "us-east-1";
const accessKey = "test:tester";
const secretKey = "testing";

/** Throws an Error that says what is missing on this machine. Takes five ports from `basePort` on. */
export async function startSwift(basePort: number): Promise<SwiftServer> {
  const missing = programs.filter((program) => spawnSync("which", [program]).status !== 0);
  if (missing.length > 0) throw new Error(`not installed: ${missing.join(", ")} (npm run test:swift installs them)`);
  const folder = temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  const [proxyPort, objectPort, containerPort, accountPort, memcachePort] = [0, 1, 2, 3, 4].map((i) => basePort + i);
  mkdirSync(at("devices/d1"), { recursive: true });
  checkAttributes(at("devices/d1"));

  writeFileSync(
    at("swift.conf"),
    `[swift-hash]
swift_hash_path_suffix = pleiad
swift_hash_path_prefix = pleiad

[storage-policy:0]
name = Policy-0
default = yes
`,
  );
  const common = (port: number | undefined) => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${process.env["USER"] ?? "root"}
swift_dir = ${folder.path}
devices = ${at("devices")}
mount_check = false
log_statsd_host =
fallocate_reserve = 0
`;
  const storage = (kind: string, port: number | undefined) =>
    writeFileSync(
      at(`${kind}-server.conf`),
      `${common(port)}
[pipeline:main]
pipeline = ${kind}-server

[app:${kind}-server]
use = egg:swift#${kind}
`,
    );
  storage("object", objectPort);
  storage("container", containerPort);
  storage("account", accountPort);
  writeFileSync(
    at("proxy-server.conf"),
    `${common(proxyPort)}
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats bulk s3api tempauth copy slo dlo symlink proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${memcachePort}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = ${region}
min_segment_size = 1
dns_compliant_bucket_names = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = ${secretKey} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
rate_limit_after_segment = 10000
[filter:dlo]
use = egg:swift#dlo
[filter:symlink]
use = egg:swift#symlink
`,
  );
  for (const [ring, port] of [
    ["account", accountPort],
    ["container", containerPort],
    ["object", objectPort],
  ] as const) {
    const builder = at(`${ring}.builder`);
    for (const args of [["create", "4", "1", "0"], ["add", `r1z1-127.0.0.1:${port}/d1`, "1"], ["rebalance"]]) {
      const done = spawnSync("swift-ring-builder", [builder, ...args], { encoding: "utf8" });
      if (done.status !== 0 && args[0] !== "rebalance")
        throw new Error(`swift-ring-builder: ${done.stdout}${done.stderr}`);
    }
  }

  const children: ChildProcess[] = [];
  const start = (program: string, args: readonly string[]) => {
    const log = openSync(at(`${program}.log`), "a");
    children.push(spawn(program, args, { stdio: ["ignore", log, log], cwd: folder.path }));
  };
  start("memcached", ["-l", "127.0.0.1", "-p", String(memcachePort), "-U", "0", "-m", "32", "-u", "root"]);
  for (const kind of ["account", "container", "object", "proxy"]) {
    start(`swift-${kind}-server`, [at(`${kind}-server.conf`), "-v"]);
  }
  const stop = async () => {
    for (const child of children) child.kill("SIGTERM");
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) await once(child, "close");
    }
    folder.remove();
  };

  const endpoint = `http://127.0.0.1:${proxyPort}`;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  const emptyBucket = async (name: string) => {
    await client.send(new CreateBucketCommand({ Bucket: name }));
    for (;;) {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: name }));
      if (Contents.length === 0) return;
      await Promise.all(Contents.map(({ Key }) => client.send(new DeleteObjectCommand({ Bucket: name, Key }))));
    }
  };
  try {
    await eventually("Swift", 60_000, async () => {
      await emptyBucket("first");
      return true;
    });
  } catch (error) {
    const logs = children.map((child) => readFileSync(at(`${child.spawnfile}.log`), "utf8").slice(-2000));
    await stop();
    throw new Error(`Swift does not start:\n${logs.join("\n")}`, { cause: error });
  }
  return { endpoint, region, accessKey, secretKey, emptyBucket, stop };
}

/** Swift keeps what it knows of an object in extended attributes of its file. */
function checkAttributes(directory: string): void {
  const script = `import os, sys; os.setxattr(sys.argv[1], "user.pleiad", b"x")`;
  const done = spawnSync("python3", ["-c", script, directory], { encoding: "utf8" });
  if (done.status !== 0)
    throw new Error(`${directory}: no extended attributes here, which Swift needs: ${done.stderr}`);
}
