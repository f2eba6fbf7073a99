/** S3 over HTTPS, with a certificate that no public authority has signed. Needs openssl. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@pleiad/ports";
import { memoryFiles, silentObservations, testPorts } from "@pleiad/ports/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBucket, parseBucketConfig } from "./bucket-config.ts";

const isThere = spawnSync("openssl", ["version"]).status === 0;
const isRequired = process.env["PLEIAD_REQUIRE_PEERS"] === "1";

describe.skipIf(!isThere && !isRequired)("S3 over HTTPS", () => {
  const folder = mkdtempSync(join(tmpdir(), "pleiad-s3-tls-"));
  let server: Server;
  let endpoint: string;

  beforeAll(async () => {
    const [key, certificate] = [join(folder, "key"), join(folder, "certificate")];
    const made = spawnSync("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-subj", "/CN=store.test", "-addext", "subjectAltName=DNS:store.test", "-keyout", key, "-out", certificate],
    ]);
    if (made.status !== 0) throw new Error(String(made.stderr));
    server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (_, response) => {
      response.end("content");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    endpoint = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  });

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  async function read(tls: Readonly<Record<string, unknown>>, authority = readFileSync(join(folder, "certificate"))) {
    const files = memoryFiles();
    await files.makeDirectory("/etc");
    await files.writeFileAtomic("/etc/ca", authority);
    const config = {
      ...{ bucket: "metrics", endpoint, access_key: "key", secret_key: "secret", max_retries: 1 },
      http_config: { tls_config: tls },
    };
    const parsed = parseBucketConfig({ type: "S3", config });
    if (!parsed.ok) throw new Error(parsed.failure.join());
    const ports = { clock: testPorts().clock, random: seededRandom(1), files, observations: silentObservations() };
    return new TextDecoder().decode(await createBucket(parsed.value, ports).get("key"));
  }

  it("is read where the authority is given, and the name is the certificate's", async () => {
    expect(await read({ ca_file: "/etc/ca", server_name: "store.test" })).toBe("content");
  });

  it("is read without proof where that is asked for by name", async () => {
    expect(await read({ insecure_skip_verify: true })).toBe("content");
  });

  it.each([
    ["an authority that nobody knows", {}, "unavailable"],
    ["another name", { ca_file: "/etc/ca" }, "unavailable"],
    ["an authority's file that is not there", { ca_file: "/etc/none" }, "a file for TLS cannot be read"],
  ])("is refused for %s", async (_, tls, reason) => {
    await expect(read(tls)).rejects.toThrow(reason);
  });
});
