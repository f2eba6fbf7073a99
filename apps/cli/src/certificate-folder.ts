/**
 * The folder `secrets` beside rendered files: the authority, and Secrets to apply, one file a cluster. Git ignores it, and
 * only its owner can read the keys in it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  authorityNamespace,
  authoritySecret,
  certificateRequests,
  clusterNames,
  type Deployment,
} from "@pleiad/manifests";
import type { CertificateUse } from "@pleiad/manifests";
import { parseAllDocuments, stringify } from "yaml";
import {
  createAuthority,
  issueCertificate,
  keyPairFault,
  type KeyPair,
  type Validity,
} from "./certificate-authority.ts";

export interface CertificateTimes {
  readonly nowMs: number;
  readonly days: number; // how long a certificate lasts
  readonly authorityDays: number;
  readonly renewBeforeMs: number;
}

/** What became of each certificate, as `cluster/namespace/secret`, with why. */
export interface CertificateReport {
  readonly kept: readonly string[];
  readonly renewed: readonly { readonly secret: string; readonly why: string }[];
}

interface WantedSecret {
  readonly cluster: string | undefined;
  readonly namespace: string;
  readonly name: string;
  readonly subject: string;
  readonly use: CertificateUse;
}

/** Looks at every certificate, and writes those that are missing, no longer right, or near their end. */
export function updateCertificates(folder: string, deployment: Deployment, times: CertificateTimes): CertificateReport {
  const { authority, report } = readAuthority(folder, deployment, times);
  const made = authority ?? createAuthority(`pleiad ${deployment.plan.fleet}`, { ...times, days: times.authorityDays });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, ".gitignore"), "*\n");
  if (authority === undefined) {
    writeSecretFile(join(folder, "ca.key"), made.key);
    writeSecretFile(join(folder, "ca.crt"), made.certificate);
  }
  return mergeReports([
    report,
    ...secretFiles(deployment).map(([path, wanted]) => updateFile(folder, path, wanted, made, times)),
  ]);
}

/** The same without writing: `renewed` is what would be. */
export function checkCertificates(folder: string, deployment: Deployment, times: CertificateTimes): CertificateReport {
  const { authority, report } = readAuthority(folder, deployment, times);
  const files = secretFiles(deployment).map(([path, wanted]) => examine(join(folder, path), wanted, authority, times));
  return mergeReports([report, ...files.map(({ report }) => report)]);
}

function readAuthority(folder: string, { plan }: Deployment, times: CertificateTimes) {
  const [certificatePath, keyPath] = [join(folder, "ca.crt"), join(folder, "ca.key")];
  const secret = `authority of ${plan.fleet}`;
  if (!existsSync(certificatePath) || !existsSync(keyPath)) {
    return { authority: undefined, report: { kept: [], renewed: [{ secret, why: "it is missing" }] } };
  }
  const pair = { certificate: readFileSync(certificatePath, "utf8"), key: readFileSync(keyPath, "utf8") };
  const why = keyPairFault(pair, pair.certificate, undefined, times);
  return why === undefined
    ? { authority: pair, report: { kept: [secret], renewed: [] } }
    : { authority: undefined, report: { kept: [], renewed: [{ secret, why }] } };
}

/** Paths below the folder, the monitoring cluster's first. */
function secretFiles(deployment: Deployment): readonly (readonly [path: string, wanted: readonly WantedSecret[]])[] {
  const byCluster = Map.groupBy(wantedSecrets(deployment), ({ cluster }) => cluster);
  return [...byCluster].map(([cluster, wanted]) => [
    cluster === undefined ? "monitoring.yaml" : `app-clusters/${cluster}.yaml`,
    wanted,
  ]);
}

function wantedSecrets(deployment: Deployment): readonly WantedSecret[] {
  if (deployment.settings.certificates === "built-in") {
    return certificateRequests(deployment).map(({ cluster, namespace, secretName, commonName, dnsNames }) => ({
      cluster,
      namespace,
      name: secretName,
      subject: commonName,
      use: { kind: "endpoint", dnsNames },
    }));
  }
  const place = { namespace: authorityNamespace, name: authoritySecret };
  return [undefined, ...deployment.plan.clusters.map(({ name }) => name)].map((cluster): WantedSecret => {
    if (cluster === undefined) return { ...place, cluster, subject: "pleiad monitoring", use: { kind: "authority" } };
    // Names of servers can be confined so, common names of clients cannot: in a fleet whose clusters push, only keys of
    // the built-in kind keep one cluster from writing as another.
    const permitted = clusterNames(deployment, cluster);
    return { ...place, cluster, subject: `pleiad ${cluster}`, use: { kind: "authority", permitted } };
  });
}

function updateFile(
  folder: string,
  path: string,
  wanted: readonly WantedSecret[],
  authority: KeyPair,
  times: CertificateTimes,
): CertificateReport {
  const file = join(folder, path);
  const { pairs, report } = examine(file, wanted, authority, times);
  if (report.renewed.length === 0) return report;
  const validity = (use: CertificateUse): Validity => ({
    nowMs: times.nowMs,
    days: use.kind === "authority" ? times.authorityDays : times.days,
  });
  const secrets = wanted.map((one, i) =>
    secretObject(
      one,
      pairs[i] ?? issueCertificate(authority, one.subject, one.use, validity(one.use)),
      authority.certificate,
    ),
  );
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeSecretFile(file, secrets.map((secret) => stringify(secret, { lineWidth: 0 })).join("---\n"));
  return report;
}

/** The key pairs of a file that are still good, by place in `wanted`. */
function examine(
  file: string,
  wanted: readonly WantedSecret[],
  authority: KeyPair | undefined,
  times: CertificateTimes,
): { readonly pairs: readonly (KeyPair | undefined)[]; readonly report: CertificateReport } {
  const found = existsSync(file) ? readSecrets(readFileSync(file, "utf8")) : new Map<string, KeyPair>();
  const kept: string[] = [];
  const renewed: { secret: string; why: string }[] = [];
  const pairs = wanted.map(({ cluster, namespace, name, use }) => {
    const secret = `${cluster ?? "monitoring"}: ${namespace}/${name}`;
    const pair = found.get(`${namespace}/${name}`);
    const names = use.kind === "endpoint" ? use.dnsNames : undefined;
    const why =
      pair === undefined
        ? "it is missing"
        : authority === undefined
          ? "its authority is renewed"
          : keyPairFault(pair, authority.certificate, names, times);
    if (why === undefined) kept.push(secret);
    else renewed.push({ secret, why });
    return why === undefined ? pair : undefined;
  });
  return { pairs, report: { kept, renewed } };
}

function secretObject({ namespace, name, use }: WantedSecret, pair: KeyPair, authority: string) {
  // An authority below the fleet's is shown with the one above it.
  const chain = use.kind === "authority" ? pair.certificate + authority : pair.certificate;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels: { "app.kubernetes.io/managed-by": "pleiad" } },
    type: "kubernetes.io/tls",
    stringData: { "ca.crt": authority, "tls.crt": chain, "tls.key": pair.key },
  };
}

function readSecrets(text: string): Map<string, KeyPair> {
  const pairs = new Map<string, KeyPair>();
  for (const document of parseAllDocuments(text)) {
    const textAt = (...path: string[]) => {
      const value = document.getIn(path);
      return typeof value === "string" ? value : "";
    };
    const certificate = textAt("stringData", "tls.crt");
    const key = textAt("stringData", "tls.key");
    pairs.set(`${textAt("metadata", "namespace")}/${textAt("metadata", "name")}`, { certificate, key });
  }
  return pairs;
}

/** Whole or not at all, and never readable by others, not even for a moment. */
function writeSecretFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function mergeReports(reports: readonly CertificateReport[]): CertificateReport {
  return { kept: reports.flatMap(({ kept }) => kept), renewed: reports.flatMap(({ renewed }) => renewed) };
}
