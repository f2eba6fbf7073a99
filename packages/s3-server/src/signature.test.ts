import { describe, expect, it } from "vitest";
import { S3Error } from "./s3-error.ts";
import { emptySha256, encodePart, signHeaders, verifySignature, type SignableRequest } from "./signature.ts";

/** The examples of the S3 API reference. */
const credential = { accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
const nowMs = Date.UTC(2013, 4, 24);
const rules = {
  region: "us-east-1",
  skewMsMax: 15 * 60_000,
  secretKeyOf: (accessKey: string) => (accessKey === credential.accessKey ? credential.secretKey : undefined),
};
const host = "examplebucket.s3.amazonaws.com";
const get = (headers: Readonly<Record<string, string>>, path = "/test.txt", query = ""): SignableRequest => ({
  method: "GET",
  path,
  query,
  headers: new Map([["host", host], ...Object.entries(headers)]),
});
const authorization = (signedHeaders: string, signature: string, scope = "20130524/us-east-1/s3/aws4_request") =>
  `AWS4-HMAC-SHA256 Credential=${credential.accessKey}/${scope},SignedHeaders=${signedHeaders},Signature=${signature}`;

const codeOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
  return "accepted";
};

describe("the examples of the S3 API reference", () => {
  const date = { "x-amz-date": "20130524T000000Z" };
  const examples: readonly (readonly [string, SignableRequest])[] = [
    [
      "GET of a range",
      get({
        ...date,
        range: "bytes=0-9",
        "x-amz-content-sha256": emptySha256,
        authorization: authorization(
          "host;range;x-amz-content-sha256;x-amz-date",
          "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
      }),
    ],
    [
      "PUT of an object",
      {
        method: "PUT",
        path: "/test%24file.text",
        query: "",
        headers: new Map(
          Object.entries({
            ...date,
            host,
            date: "Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
            "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            authorization: authorization(
              "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
              "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
          }),
        ),
      },
    ],
    [
      "GET of the life cycle",
      get(
        {
          ...date,
          "x-amz-content-sha256": emptySha256,
          authorization: authorization(
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
          ),
        },
        "/",
        "lifecycle",
      ),
    ],
    [
      "a list",
      get(
        {
          ...date,
          "x-amz-content-sha256": emptySha256,
          authorization: authorization(
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
          ),
        },
        "/",
        "max-keys=2&prefix=J",
      ),
    ],
    [
      "a signed address",
      get(
        {},
        "/test.txt",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
      ),
    ],
  ];
  it.each(examples)("%s is accepted, and refused with anything changed", (_name, request) => {
    expect(verifySignature(request, rules, nowMs).accessKey).toBe(credential.accessKey);
    const changed: readonly (readonly [string, SignableRequest])[] = [
      ["path", { ...request, path: `${request.path}x` }],
      ["query", { ...request, query: `${request.query}&x=1` }],
      ["method", { ...request, method: "DELETE" }],
      ["host", { ...request, headers: new Map([...request.headers, ["host", "other"]]) }],
    ];
    for (const [what, tampered] of changed) {
      expect([what, codeOf(() => verifySignature(tampered, rules, nowMs))]).toEqual([what, "SignatureDoesNotMatch"]);
    }
  });
});

describe("a signed request", () => {
  const sign = (
    request: SignableRequest,
    options: Partial<Parameters<typeof signHeaders>[1]> = {},
  ): SignableRequest => {
    const added = signHeaders(request, {
      credential,
      region: "us-east-1",
      nowMs,
      payloadHash: emptySha256,
      ...options,
    });
    return { ...request, headers: new Map([...request.headers, ...Object.entries(added)]) };
  };
  const verify = (request: SignableRequest, atMs = nowMs) => codeOf(() => verifySignature(request, rules, atMs));
  const without = (request: SignableRequest, name: string): SignableRequest => ({
    ...request,
    headers: new Map([...request.headers].filter(([other]) => other !== name)),
  });
  const withHeader = (request: SignableRequest, name: string, value: string): SignableRequest => ({
    ...request,
    headers: new Map([...request.headers, [name, value]]),
  });
  const minutes = 60_000;

  const cases: readonly (readonly [string, () => string, string])[] = [
    ["as it was signed", () => verify(sign(get({}))), "accepted"],
    ["with a strange path", () => verify(sign(get({}, "/a%20b/%ED%95%9C/!'()*~/%2B+"))), "accepted"],
    ["with a path that is encoded otherwise", () => verify(sign(get({}, "/!'()*"))), "accepted"],
    ["with a query in any order", () => verify(sign(get({}, "/", "b=2&a=%2F&a=&c"))), "accepted"],
    ["with spaces in a header", () => verify(sign(get({ "x-amz-meta-a": "  one   two " }))), "accepted"],
    ["14 minutes early", () => verify(sign(get({})), nowMs - 14 * minutes), "accepted"],
    ["16 minutes early", () => verify(sign(get({})), nowMs - 16 * minutes), "RequestTimeTooSkewed"],
    ["16 minutes late", () => verify(sign(get({})), nowMs + 16 * minutes), "RequestTimeTooSkewed"],
    ["without a signature", () => verify(get({})), "AccessDenied"],
    ["of another region", () => verify(sign(get({}), { region: "elsewhere" })), "AuthorizationHeaderMalformed"],
    [
      "with a key that nobody has",
      () => verify(sign(get({}), { credential: { ...credential, accessKey: "other" } })),
      "InvalidAccessKeyId",
    ],
    [
      "with another secret",
      () => verify(sign(get({}), { credential: { ...credential, secretKey: "other" } })),
      "SignatureDoesNotMatch",
    ],
    [
      "with a header added that changes what is done",
      () => verify(withHeader(sign(get({})), "x-amz-copy-source", "/b/secret")),
      "AccessDenied",
    ],
    [
      "without a signed header",
      () => verify(without(sign(get({ "x-amz-meta-a": "b" })), "x-amz-meta-a")),
      "SignatureDoesNotMatch",
    ],
    ["without its content hash", () => verify(without(sign(get({})), "x-amz-content-sha256")), "InvalidRequest"],
    ["without a date", () => verify(without(sign(get({})), "x-amz-date")), "AccessDenied"],
    ["of another version", () => verify(get({ authorization: "AWS AKIA:abc" })), "AuthorizationHeaderMalformed"],
    [
      "of another service",
      () =>
        verify(
          withHeader(
            sign(get({})),
            "authorization",
            authorization("host", "0".repeat(64), "20130524/us-east-1/ec2/aws4_request"),
          ),
        ),
      "AuthorizationHeaderMalformed",
    ],
  ];
  it.each(cases)("%s", (_rule, act, expected) => {
    expect(act()).toBe(expected);
  });

  it("that asks where the bucket is may do so as if in us-east-1", () => {
    const elsewhere = { ...rules, region: "elsewhere" };
    const ask = (query: string) => codeOf(() => verifySignature(sign(get({}, "/b", query)), elsewhere, nowMs));
    expect([ask("location"), ask("location="), ask("list-type=2")]).toEqual([
      "accepted",
      "accepted",
      "AuthorizationHeaderMalformed",
    ]);
  });
});

describe("a signed address", () => {
  const query = (changes: Readonly<Record<string, string>>) =>
    new URLSearchParams({
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Credential": `${credential.accessKey}/20130524/us-east-1/s3/aws4_request`,
      "X-Amz-Date": "20130524T000000Z",
      "X-Amz-Expires": "86400",
      "X-Amz-SignedHeaders": "host",
      "X-Amz-Signature": "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
      ...changes,
    }).toString();
  const day = 86_400_000;
  it.each<readonly [string, Readonly<Record<string, string>>, number, string]>([
    ["holds to its end", {}, nowMs + day, "accepted"],
    ["ends", {}, nowMs + day + 1000, "AccessDenied"],
    ["does not begin long before its time", {}, nowMs - 16 * 60_000, "AccessDenied"],
    ["ends after a week at most", { "X-Amz-Expires": "604801" }, nowMs, "AuthorizationQueryParametersError"],
    ["has an end", { "X-Amz-Expires": "" }, nowMs, "AuthorizationQueryParametersError"],
    ["has a signature", { "X-Amz-Signature": "" }, nowMs, "SignatureDoesNotMatch"],
    ["signs the host", { "X-Amz-SignedHeaders": "" }, nowMs, "AccessDenied"],
    ["has a known algorithm", { "X-Amz-Algorithm": "none" }, nowMs, "AuthorizationQueryParametersError"],
  ])("%s", (_rule, changes, atMs, expected) => {
    expect(codeOf(() => verifySignature(get({}, "/test.txt", query(changes)), rules, atMs))).toBe(expected);
  });
});

it("encodes all but letters, digits and four signs", () => {
  expect(encodePart("aZ0-._~ !'()*+/%한", false)).toBe("aZ0-._~%20%21%27%28%29%2A%2B%2F%25%ED%95%9C");
  expect(encodePart("a/b", true)).toBe("a/b");
});
