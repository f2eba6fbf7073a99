/**
 * Signature Version 4 of AWS: checks the signature of a request, in its headers or in its query, and makes one.
 * Specification: docs.aws.amazon.com, "Authenticating Requests (AWS Signature Version 4)" in the S3 API reference.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { S3Error } from "./s3-error.ts";

export interface S3Credential {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** What of a request is signed. */
export interface SignableRequest {
  readonly method: string;
  readonly path: string; // as it was sent, percent-encoded
  readonly query: string; // likewise, without "?"
  readonly headers: ReadonlyMap<string, string>; // lower-case names
}

export interface SignatureRules {
  readonly region: string;
  readonly skewMsMax: number; // between our clock and the client's
  secretKeyOf(accessKey: string): string | undefined;
}

/** How the chunks of a body are signed, each with the signature of the one before. */
export interface ChunkSigner {
  readonly firstSignature: string;
  /** The signature of a chunk, or of the trailing headers, by the SHA-256 of its bytes in hex. */
  sign(kind: "chunk" | "trailer", previousSignature: string, sha256: string): string;
}

export interface VerifiedSignature {
  readonly accessKey: string;
  readonly payloadHash: string; // x-amz-content-sha256: a SHA-256 in hex, or a word for how the body is sent
  readonly chunks: ChunkSigner;
}

const algorithm = "AWS4-HMAC-SHA256";
const presignedSecondsMax = 604_800;
export const emptySha256 = createHash("sha256").digest("hex");

/** Throws S3Error with the code that S3 has for what is wrong. */
export function verifySignature(request: SignableRequest, rules: SignatureRules, nowMs: number): VerifiedSignature {
  const parameters = new URLSearchParams(request.query);
  if (request.headers.has("authorization")) return verifyHeader(request, rules, nowMs);
  if (parameters.has("X-Amz-Algorithm")) return verifyQuery(request, parameters, rules, nowMs);
  throw new S3Error("AccessDenied", "The request is not signed.");
}

function verifyHeader(request: SignableRequest, rules: SignatureRules, nowMs: number): VerifiedSignature {
  const authorization = request.headers.get("authorization") ?? "";
  const [, credential, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})\s*$/.exec(
      authorization,
    ) ?? [];
  if (credential === undefined || signedHeaders === undefined || signature === undefined) {
    throw new S3Error("AuthorizationHeaderMalformed", "The authorization header is not a Signature Version 4.");
  }
  const date = request.headers.get("x-amz-date") ?? basicDate(request.headers.get("date"));
  const payloadHash = request.headers.get("x-amz-content-sha256");
  if (payloadHash === undefined) throw new S3Error("InvalidRequest", "The header x-amz-content-sha256 is missing.");
  const signed: SignedParts = { credential, signedHeaders, signature, date: date ?? "", payloadHash };
  const verified = verifyParts(request, signed, rules, "AuthorizationHeaderMalformed");
  const atMs = parseDate(signed.date);
  if (Math.abs(nowMs - atMs) > rules.skewMsMax) {
    throw new S3Error(
      "RequestTimeTooSkewed",
      "The difference between the request time and the current time is too large.",
    );
  }
  return verified;
}

function verifyQuery(
  request: SignableRequest,
  parameters: URLSearchParams,
  rules: SignatureRules,
  nowMs: number,
): VerifiedSignature {
  const malformed = (message: string) => new S3Error("AuthorizationQueryParametersError", message);
  if (parameters.get("X-Amz-Algorithm") !== algorithm) throw malformed(`X-Amz-Algorithm must be ${algorithm}.`);
  const expiresSeconds = Number(parameters.get("X-Amz-Expires") ?? "NaN");
  if (!(Number.isInteger(expiresSeconds) && expiresSeconds > 0 && expiresSeconds <= presignedSecondsMax)) {
    throw malformed(`X-Amz-Expires must be 1 to ${presignedSecondsMax} seconds.`);
  }
  const signed: SignedParts = {
    credential: parameters.get("X-Amz-Credential") ?? "",
    signedHeaders: parameters.get("X-Amz-SignedHeaders") ?? "",
    signature: parameters.get("X-Amz-Signature") ?? "",
    date: parameters.get("X-Amz-Date") ?? "",
    payloadHash: request.headers.get("x-amz-content-sha256") ?? "UNSIGNED-PAYLOAD",
  };
  const verified = verifyParts(request, signed, rules, "AuthorizationQueryParametersError");
  const atMs = parseDate(signed.date);
  if (atMs - nowMs > rules.skewMsMax) throw new S3Error("AccessDenied", "The request is not yet valid.");
  if (nowMs - atMs > expiresSeconds * 1000) throw new S3Error("AccessDenied", "The request has expired.");
  return verified;
}

interface SignedParts {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly date: string;
  readonly payloadHash: string;
}

function verifyParts(
  request: SignableRequest,
  { credential, signedHeaders, signature, date, payloadHash }: SignedParts,
  rules: SignatureRules,
  malformedCode: "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError",
): VerifiedSignature {
  if (Number.isNaN(parseDate(date))) throw new S3Error("AccessDenied", "The request has no valid date.");
  const [accessKey = "", day = "", region = "", ...rest] = credential.split("/");
  if (rest.join("/") !== "s3/aws4_request" || day !== date.slice(0, 8)) {
    throw new S3Error(malformedCode, "The credential must be key/date/region/s3/aws4_request, of the request's date.");
  }
  // Clients that do not know the region ask where a bucket is in the oldest one.
  const asksForRegion = /(?:^|&)location(?:=|&|$)/.test(request.query) && region === "us-east-1";
  if (region !== rules.region && !asksForRegion) {
    throw new S3Error(malformedCode, `The region '${region}' is wrong; expecting '${rules.region}'.`);
  }
  const names = signedHeaders.split(";");
  const unsigned = [...request.headers.keys()].filter(
    (name) =>
      (name === "host" || (name.startsWith("x-amz-") && name !== "x-amz-content-sha256")) && !names.includes(name),
  );
  if (unsigned.length > 0) {
    throw new S3Error(
      "AccessDenied",
      `There were headers present in the request which were not signed: ${unsigned[0]}`,
    );
  }
  const secretKey = rules.secretKeyOf(accessKey);
  if (secretKey === undefined) throw new S3Error("InvalidAccessKeyId", "The access key is not known.");
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = signingKey(secretKey, day, region);
  const expected = hmac(
    key,
    stringToSign(algorithm, date, scope, sha256(canonicalRequest(request, names, payloadHash))),
  );
  if (!equalTexts(expected.toString("hex"), signature)) {
    throw new S3Error("SignatureDoesNotMatch", "The signature that was calculated does not match the one provided.");
  }
  return { accessKey, payloadHash, chunks: chunkSigner(key, date, scope, signature) };
}

function chunkSigner(key: Uint8Array, date: string, scope: string, firstSignature: string): ChunkSigner {
  return {
    firstSignature,
    sign: (kind, previous, hash) => {
      const text =
        kind === "chunk"
          ? `${algorithm}-PAYLOAD\n${date}\n${scope}\n${previous}\n${emptySha256}\n${hash}`
          : `${algorithm}-TRAILER\n${date}\n${scope}\n${previous}\n${hash}`;
      return hmac(key, text).toString("hex");
    },
  };
}

export interface SigningOptions {
  readonly credential: S3Credential;
  readonly region: string;
  readonly nowMs: number;
  readonly payloadHash: string;
}

/** The headers that sign a request, `host` and all other headers of `request` being sent as they are. */
export function signHeaders(request: SignableRequest, options: SigningOptions): Readonly<Record<string, string>> {
  const { credential, region, nowMs, payloadHash } = options;
  const date = formatDate(nowMs);
  const added = { "x-amz-date": date, "x-amz-content-sha256": payloadHash };
  const headers = new Map([...request.headers, ...Object.entries(added)]);
  const names = [...headers.keys()].sort();
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
  const hash = sha256(canonicalRequest({ ...request, headers }, names, payloadHash));
  const key = signingKey(credential.secretKey, date.slice(0, 8), region);
  const signature = hmac(key, stringToSign(algorithm, date, scope, hash)).toString("hex");
  return {
    ...added,
    authorization: `${algorithm} Credential=${credential.accessKey}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}

function canonicalRequest(
  { method, path, query, headers }: SignableRequest,
  signedNames: readonly string[],
  payloadHash: string,
): string {
  const canonicalHeaders = signedNames.map((name) => {
    return `${name}:${(headers.get(name) ?? "").trim().replace(/ +/g, " ")}\n`;
  });
  return [
    method,
    encodePart(decodePart(path), true),
    canonicalQuery(query),
    canonicalHeaders.join(""),
    signedNames.join(";"),
    payloadHash,
  ].join("\n");
}

function canonicalQuery(query: string): string {
  const pairs: (readonly [string, string])[] = [];
  for (const pair of query === "" ? [] : query.split("&")) {
    const [name = "", ...rest] = pair.split("=");
    const decodedName = decodePart(name.replaceAll("+", " "));
    if (decodedName === "X-Amz-Signature") continue;
    pairs.push([encodePart(decodedName, false), encodePart(decodePart(rest.join("=").replaceAll("+", " ")), false)]);
  }
  pairs.sort(([a, av], [b, bv]) => (a < b ? -1 : a > b ? 1 : av < bv ? -1 : av > bv ? 1 : 0));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

/** Throws S3Error InvalidURI for what does not decode to UTF-8. */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error("InvalidURI", "The URI does not decode.");
  }
}

/** Percent-encoding as the specification has it: all but letters, digits and `-._~`. */
export function encodePart(text: string, keepSlashes: boolean): string {
  const encoded = encodeURIComponent(text).replace(/[!'()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  return keepSlashes ? encoded.replaceAll("%2F", "/") : encoded;
}

function stringToSign(kind: string, date: string, scope: string, hash: string): string {
  return `${kind}\n${date}\n${scope}\n${hash}`;
}

function signingKey(secretKey: string, day: string, region: string): Uint8Array {
  return hmac(hmac(hmac(hmac(`AWS4${secretKey}`, day), region), "s3"), "aws4_request");
}

function hmac(key: string | Uint8Array, text: string) {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Whether two texts are equal, in a time that does not tell where they differ. */
export function equalTexts(a: string, b: string): boolean {
  const encoder = new TextEncoder();
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

const dateForm = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** Unix ms of a date like 20130524T000000Z; NaN for anything else. */
function parseDate(text: string): number {
  const fields = dateForm.exec(text);
  return fields === null ? Number.NaN : Date.parse(text.replace(dateForm, "$1-$2-$3T$4:$5:$6Z"));
}

export function formatDate(atMs: number): string {
  return new Date(atMs).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

function basicDate(date: string | undefined): string | undefined {
  const atMs = Date.parse(date ?? "");
  return Number.isNaN(atMs) ? undefined : formatDate(atMs);
}
