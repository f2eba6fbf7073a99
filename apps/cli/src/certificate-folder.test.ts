import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import { planFleet, readFleet } from "@pleiad/fleet";
import { defaultRenderSettings, deploymentOf, type RenderSettings } from "@pleiad/manifests";
import { parseAllDocuments } from "yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkCertificates, updateCertificates } from "./certificate-folder.ts";
import { createAuthority, issueCertificate } from "./certificate-authority.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "pleiad-certs-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const nowMs = Date.now();
const dayMs = 86_400_000;
const times = { nowMs, days: 90, authorityDays: 3650, renewBeforeMs: 30 * dayMs };

function laptop(certificates: RenderSettings["certificates"]) {
  const text = readFileSync(new URL("../../../fleets/laptop.yaml", import.meta.url), "utf8");
  const fleet = readFleet(text, "laptop.yaml");
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!fleet.ok || !plan.ok) throw new Error("it does not plan");
  const deployment = deploymentOf(fleet.value, plan.value, { ...defaultRenderSettings, certificates });
  if (!deployment.ok) throw new Error(deployment.failure.message);
  return deployment.value;
}

type Files = Readonly<Record<"ca.crt" | "tls.crt" | "tls.key", string>>;
function secretOf(path: string, name: string): Files {
  const secrets = parseAllDocuments(readFileSync(join(folder, path), "utf8")).map(
    (document) => document.toJS() as { metadata: { name: string }; stringData: Files },
  );
  const found = secrets.find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`no Secret ${name} in ${path}`);
  return found.stringData;
}

describe("certificates of a fleet without cert-manager", () => {
  const deployment = laptop("built-in");

  it("are all written, kept by the next run, readable by nobody else and ignored by git", () => {
    const first = updateCertificates(folder, deployment, times);
    expect(first.kept).toEqual([]);
    const before = readFileSync(join(folder, "monitoring.yaml"), "utf8");
    const again = updateCertificates(folder, deployment, times);
    expect(again.renewed).toEqual([]);
    expect(again.kept).toHaveLength(first.renewed.length);
    expect(readFileSync(join(folder, "monitoring.yaml"), "utf8")).toBe(before);
    for (const file of ["ca.key", "monitoring.yaml", "app-clusters/shop-01.yaml"]) {
      expect(statSync(join(folder, file)).mode & 0o777, file).toBe(0o600);
    }
    expect(readFileSync(join(folder, ".gitignore"), "utf8")).toBe("*\n");
  });

  it("are renewed near their end, or when they are gone, and those alone", () => {
    updateCertificates(folder, deployment, times);
    rmSync(join(folder, "app-clusters/shop-02.yaml"));
    expect(checkCertificates(folder, deployment, times).renewed).toEqual([
      { secret: "shop-02: monitoring/prometheus-grpc-tls", why: "it is missing" },
    ]);
    expect(updateCertificates(folder, deployment, times).renewed).toHaveLength(1);
    const late = { ...times, nowMs: nowMs + 61 * dayMs };
    const due = checkCertificates(folder, deployment, late);
    expect(due.kept).toEqual(["authority of laptop"]);
    expect(due.renewed[0]?.why).toMatch(/^it ends in (28|29) days$/);
    updateCertificates(folder, deployment, late);
    expect(checkCertificates(folder, deployment, late).renewed).toEqual([]);
  });

  it("are all renewed under a new authority", () => {
    updateCertificates(folder, deployment, times);
    const other = createAuthority("other", { nowMs, days: 10 });
    writeFileSync(join(folder, "ca.crt"), other.certificate);
    const { kept, renewed } = updateCertificates(folder, deployment, { ...times, renewBeforeMs: dayMs });
    expect(kept).toEqual([]);
    expect(renewed[0]?.why).toBe("its key is another's");
    expect(checkCertificates(folder, deployment, { ...times, renewBeforeMs: dayMs }).renewed).toEqual([]);
  });

  it("let both sides of a connection know each other, and nobody else", async () => {
    updateCertificates(folder, deployment, times);
    const cluster = secretOf("app-clusters/shop-01.yaml", "prometheus-grpc-tls");
    const querier = secretOf("monitoring.yaml", "regional-querier-east-grpc-tls");
    const shop = "shop-01.grpc.pleiad.internal";
    expect(await handshake(cluster, querier, shop)).toBe("regional-querier-east sees shop-01");
    expect(await handshake(cluster, querier, "shop-02.grpc.pleiad.internal")).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/);
    const stranger = createAuthority("stranger", { nowMs, days: 10 });
    const pair = issueCertificate(stranger, "x", { kind: "endpoint", dnsNames: [shop] }, { nowMs, days: 9 });
    const foreign = { "ca.crt": cluster["ca.crt"], "tls.crt": pair.certificate, "tls.key": pair.key };
    expect(await handshake(cluster, foreign, shop)).not.toMatch(/sees/);
    expect(await handshake(foreign, querier, shop)).not.toMatch(/sees/);
  });
});

describe("for cert-manager", () => {
  it("each cluster gets an authority that signs for its own name and no other", async () => {
    updateCertificates(folder, laptop("cert-manager"), times);
    const authority = secretOf("app-clusters/shop-01.yaml", "pleiad-ca");
    const signer = { certificate: authority["tls.crt"], key: authority["tls.key"] };
    const made = (name: string): Files => {
      const { certificate, key } = issueCertificate(
        signer,
        "shop-01",
        { kind: "endpoint", dnsNames: [name] },
        { nowMs, days: 9 },
      );
      return { "ca.crt": authority["ca.crt"], "tls.crt": certificate + authority["tls.crt"], "tls.key": key };
    };
    const own = made("shop-01.grpc.pleiad.internal");
    const client = own;
    expect(await handshake(own, client, "shop-01.grpc.pleiad.internal")).toMatch(/sees shop-01$/);
    expect(await handshake(made("shop-02.grpc.pleiad.internal"), client, "shop-02.grpc.pleiad.internal")).not.toMatch(
      /sees/,
    );
  });
});

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
it.skipIf(!hasOpenssl)("openssl finds the whole chain right, strictly", () => {
  updateCertificates(folder, laptop("built-in"), times);
  for (const [path, name] of [
    ["monitoring.yaml", "global-querier-grpc-tls"],
    ["app-clusters/shop-01.yaml", "prometheus-grpc-tls"],
  ] as const) {
    const leaf = join(folder, "leaf.pem");
    writeFileSync(leaf, secretOf(path, name)["tls.crt"]);
    for (const purpose of ["sslserver", "sslclient"]) {
      const args = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", join(folder, "ca.crt"), leaf];
      expect(execFileSync("openssl", args).toString()).toContain("OK");
    }
  }
});

/** One handshake on loopback: who saw whom, or why not. */
async function handshake(server: Files, client: Files, servername: string): Promise<string> {
  const options = (files: Files) => ({ ca: files["ca.crt"], cert: files["tls.crt"], key: files["tls.key"] });
  const listener = createServer({ ...options(server), requestCert: true, rejectUnauthorized: true }, (socket) => {
    socket.on("error", () => {});
    socket.end(String(socket.getPeerCertificate().subject.CN));
  });
  listener.on("tlsClientError", () => {});
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ ...options(client), port, host: "127.0.0.1", servername });
  // A server that refuses the client says so after the client's own handshake: only an answer shows that it did not.
  let answer = "no answer";
  socket.on("data", (bytes) => {
    answer = `${bytes.toString()} sees ${String(socket.getPeerCertificate().subject.CN)}`;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => (answer = String(error.code)));
  socket.on("secureConnect", () => socket.resume());
  await new Promise((resolve) => socket.on("close", resolve));
  listener.close();
  return answer;
}
