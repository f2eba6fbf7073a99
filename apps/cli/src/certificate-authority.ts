/** Keys and certificates for gRPC without cert-manager: an authority of the fleet's own, and what it signs. */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from "node:crypto";
import { certificateBody, pemOf, signedCertificate, type CertificateUse } from "@pleiad/manifests";

/** A certificate and its key, as PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string; // PKCS #8
}

export interface Validity {
  readonly nowMs: number;
  readonly days: number;
}

/** How far clocks may be apart. */
const skewMs = 5 * 60_000;
const dayMs = 86_400_000;

/** An authority that signs itself. */
export function createAuthority(name: string, validity: Validity): KeyPair {
  return issue(undefined, name, { kind: "authority" }, validity);
}

/** What the authority signs for a new key. It ends no later than the authority. */
export function issueCertificate(
  authority: KeyPair,
  subject: string,
  use: CertificateUse,
  validity: Validity,
): KeyPair {
  return issue(authority, subject, use, validity);
}

function issue(
  authority: KeyPair | undefined,
  subject: string,
  use: CertificateUse,
  { nowMs, days }: Validity,
): KeyPair {
  const own = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const issuer = authority === undefined ? undefined : new X509Certificate(authority.certificate);
  const publicKey = new Uint8Array(own.publicKey.export({ type: "spki", format: "der" }));
  const keyId = keyIdOf(own.publicKey);
  const body = certificateBody({
    serial: new Uint8Array(randomBytes(16)),
    issuer: issuer === undefined ? subject : commonNameOf(issuer),
    subject,
    fromMs: nowMs - skewMs,
    untilMs: Math.min(nowMs + days * dayMs, issuer === undefined ? Infinity : Date.parse(issuer.validTo)),
    publicKey,
    keyId,
    issuerKeyId: issuer === undefined ? keyId : keyIdOf(issuer.publicKey),
    use,
  });
  const signingKey = authority === undefined ? own.privateKey : createPrivateKey(authority.key);
  const signature = new Uint8Array(sign("sha256", body, { key: signingKey, dsaEncoding: "der" }));
  return {
    certificate: pemOf("CERTIFICATE", signedCertificate(body, signature)),
    key: own.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** Why a key pair is not good any more; undefined where it is. */
export function keyPairFault(
  { certificate, key }: KeyPair,
  authority: string,
  dnsNames: readonly string[] | undefined,
  { nowMs, renewBeforeMs }: { readonly nowMs: number; readonly renewBeforeMs: number },
): string | undefined {
  let read: X509Certificate;
  try {
    read = new X509Certificate(certificate);
    if (!read.checkPrivateKey(createPrivateKey(key))) return "its key is another's";
  } catch {
    return "it cannot be read";
  }
  const issuer = new X509Certificate(authority);
  if (!read.checkIssued(issuer) || !read.verify(issuer.publicKey)) return "another authority signed it";
  const names = read.subjectAltName?.split(", ").map((name) => name.replace(/^DNS:/, ""));
  if (dnsNames !== undefined && names?.join() !== dnsNames.join()) return "its names are others";
  const leftMs = Date.parse(read.validTo) - nowMs;
  if (leftMs <= 0) return "it has ended";
  return leftMs < renewBeforeMs ? `it ends in ${Math.floor(leftMs / dayMs)} days` : undefined;
}

/** As RFC 5280 4.2.1.2 suggests: a hash of the public key, which is not meant to be secret. */
function keyIdOf(key: KeyObject): Uint8Array {
  return new Uint8Array(
    createHash("sha1")
      .update(key.export({ type: "spki", format: "der" }))
      .digest(),
  );
}

function commonNameOf({ subject }: X509Certificate): string {
  return /^CN=(.*)$/m.exec(subject)?.[1] ?? "";
}
