/**
 * Certificates of X.509, version 3, for ECDSA with SHA-256: what is to be signed, and the whole once it is. Signing itself
 * reaches for keys and is the caller's. The profile is RFC 5280.
 */
import {
  derBitString,
  derInteger,
  derNamedBits,
  derObjectId,
  derOctetString,
  derSequence,
  derSet,
  derTime,
  derTrue,
  derUtf8String,
  derValue,
} from "./der.ts";

export interface CertificateFields {
  readonly serial: Uint8Array; // positive, at most 20 bytes
  readonly issuer: string; // common names
  readonly subject: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly publicKey: Uint8Array; // SubjectPublicKeyInfo
  readonly keyId: Uint8Array; // of this key and of the issuer's: a hash
  readonly issuerKeyId: Uint8Array;
  readonly use: CertificateUse;
}

export type CertificateUse =
  /** Signs others; with `permitted` only certificates whose DNS names are these, or below them. */
  | { readonly kind: "authority"; readonly permitted?: readonly string[] }
  /** Serves under these names, and shows itself to servers. */
  | { readonly kind: "endpoint"; readonly dnsNames: readonly string[] };

const ecdsaWithSha256 = derSequence(derObjectId("1.2.840.10045.4.3.2"));

/** The part that the issuer signs. */
export function certificateBody(fields: CertificateFields): Uint8Array {
  const { serial, issuer, subject, fromMs, untilMs, publicKey } = fields;
  return derSequence(
    derValue(0xa0, derInteger(Uint8Array.of(2))), // version 3
    derInteger(serial),
    ecdsaWithSha256,
    commonName(issuer),
    derSequence(derTime(fromMs), derTime(untilMs)),
    commonName(subject),
    publicKey,
    derValue(0xa3, derSequence(...extensionsOf(fields))),
  );
}

/** The certificate. `signature` is ECDSA's, as DER. */
export function signedCertificate(body: Uint8Array, signature: Uint8Array): Uint8Array {
  return derSequence(body, ecdsaWithSha256, derBitString(signature));
}

export function pemOf(label: string, der: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...der));
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`;
}

function commonName(name: string): Uint8Array {
  return derSequence(derSet(derSequence(derObjectId("2.5.4.3"), derUtf8String(name))));
}

function extensionsOf({ keyId, issuerKeyId, use }: CertificateFields): readonly Uint8Array[] {
  return [
    extension("2.5.29.14", derOctetString(keyId)),
    extension("2.5.29.35", derSequence(derValue(0x80, issuerKeyId))),
    ...(use.kind === "authority" ? authorityExtensions(use.permitted) : endpointExtensions(use.dnsNames)),
  ];
}

function authorityExtensions(permitted: readonly string[] | undefined): readonly Uint8Array[] {
  // One that is confined signs no further authorities.
  const constraints = permitted === undefined ? [derTrue] : [derTrue, derInteger(Uint8Array.of(0))];
  return [
    critical("2.5.29.19", derSequence(...constraints)),
    critical("2.5.29.15", derNamedBits([5, 6])), // signs certificates and revocation lists
    ...(permitted === undefined
      ? []
      : [critical("2.5.29.30", derSequence(derValue(0xa0, ...permitted.map((name) => derSequence(dnsName(name))))))]),
  ];
}

function endpointExtensions(dnsNames: readonly string[]): readonly Uint8Array[] {
  return [
    critical("2.5.29.19", derSequence()),
    critical("2.5.29.15", derNamedBits([0])), // signs handshakes
    extension("2.5.29.37", derSequence(derObjectId("1.3.6.1.5.5.7.3.1"), derObjectId("1.3.6.1.5.5.7.3.2"))),
    extension("2.5.29.17", derSequence(...dnsNames.map(dnsName))),
  ];
}

function extension(id: string, value: Uint8Array): Uint8Array {
  return derSequence(derObjectId(id), derOctetString(value));
}

function critical(id: string, value: Uint8Array): Uint8Array {
  return derSequence(derObjectId(id), derTrue, derOctetString(value));
}

function dnsName(name: string): Uint8Array {
  return derValue(0x82, new TextEncoder().encode(name));
}
