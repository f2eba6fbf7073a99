/** Bodies in every form that clients send them in, by the examples of the S3 API reference and at random. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openPayload, readWhole } from "./payload.ts";
import { S3Error } from "./s3-error.ts";
import { emptySha256, verifySignature, type ChunkSigner, type VerifiedSignature } from "./signature.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const sha256 = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");
const limits = { bytesMax: 1_000_000, chunkBytesMax: 100_000 };

/** Not a real signer, but one that every byte of the chain counts for. */
const chain: ChunkSigner = {
  firstSignature: "0".repeat(64),
  sign: (kind, previous, hash) => sha256(bytes(`${kind} ${previous} ${hash}`)),
};
const signature = (payloadHash: string, chunks = chain): VerifiedSignature => ({ accessKey: "a", payloadHash, chunks });

async function* inPieces(content: Uint8Array, pieceBytes = 7) {
  for (let at = 0; at < content.length; at += pieceBytes) yield content.subarray(at, at + pieceBytes);
}

async function read(
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  signed: VerifiedSignature,
  pieceBytes?: number,
): Promise<string> {
  try {
    const payload = openPayload(new Map(Object.entries(headers)), inPieces(body, pieceBytes), signed, limits);
    return new TextDecoder().decode(await readWhole(payload.parts, limits.bytesMax));
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

describe("a plain body", () => {
  const hello = bytes("hello");
  const base64 = (algorithm: string) => createHash(algorithm).update(hello).digest("base64");
  it.each<readonly [string, Readonly<Record<string, string>>, string, string]>([
    ["of the hash that was signed", {}, sha256(hello), "hello"],
    ["of another hash", {}, sha256(bytes("other")), "XAmzContentSHA256Mismatch"],
    ["that was not signed", {}, "UNSIGNED-PAYLOAD", "hello"],
    ["of the announced length", { "content-length": "5" }, "UNSIGNED-PAYLOAD", "hello"],
    ["shorter than announced", { "content-length": "6" }, "UNSIGNED-PAYLOAD", "IncompleteBody"],
    ["longer than allowed", { "content-length": "1000001" }, "UNSIGNED-PAYLOAD", "EntityTooLarge"],
    ["of its MD5", { "content-md5": base64("md5") }, "UNSIGNED-PAYLOAD", "hello"],
    ["of another MD5", { "content-md5": "AAAAAAAAAAAAAAAAAAAAAA==" }, "UNSIGNED-PAYLOAD", "BadDigest"],
    ["with no MD5 where one should be", { "content-md5": "x" }, "UNSIGNED-PAYLOAD", "InvalidDigest"],
    ["of its CRC-32", { "x-amz-checksum-crc32": "NhCmhg==" }, "UNSIGNED-PAYLOAD", "hello"],
    ["of its CRC-32C", { "x-amz-checksum-crc32c": "mnG7TA==" }, "UNSIGNED-PAYLOAD", "hello"],
    ["of its SHA-1", { "x-amz-checksum-sha1": base64("sha1") }, "UNSIGNED-PAYLOAD", "hello"],
    ["of its SHA-256", { "x-amz-checksum-sha256": base64("sha256") }, "UNSIGNED-PAYLOAD", "hello"],
    ["of another CRC-32", { "x-amz-checksum-crc32": "AAAAAA==" }, "UNSIGNED-PAYLOAD", "BadDigest"],
    ["with a checksum that is not known", { "x-amz-checksum-crc64nvme": "AA==" }, "UNSIGNED-PAYLOAD", "NotImplemented"],
    ["in a form that is not known", {}, "STREAMING-WHATEVER", "InvalidArgument"],
  ])("%s", async (_rule, headers, payloadHash, expected) => {
    expect(await read(headers, hello, signature(payloadHash))).toBe(expected);
  });
});

describe("the examples of bodies in chunks of the S3 API reference", () => {
  const secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  const verified = (payloadHash: string, headers: Readonly<Record<string, string>>, seed: string) => {
    const all = {
      host: "s3.amazonaws.com",
      "x-amz-date": "20130524T000000Z",
      "x-amz-content-sha256": payloadHash,
      ...headers,
    };
    const names = Object.keys(all).sort().join(";");
    const authorization = `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=${names},Signature=${seed}`;
    const request = {
      method: "PUT",
      path: "/examplebucket/chunkObject.txt",
      query: "",
      headers: new Map(Object.entries({ ...all, authorization })),
    };
    const rules = { region: "us-east-1", skewMsMax: 1000, secretKeyOf: () => secretKey };
    return { headers: all, signature: verifySignature(request, rules, Date.UTC(2013, 4, 24)) };
  };
  const content = bytes("a".repeat(66_560));
  const chunk = (from: number, to: number, signed: string) => {
    return `${(to - from).toString(16)};chunk-signature=${signed}\r\n${"a".repeat(to - from)}`;
  };

  it("signed chunk by chunk", async () => {
    const { headers, signature: signed } = verified(
      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      {
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "content-encoding": "aws-chunked",
        "content-length": "66824",
        "x-amz-decoded-content-length": "66560",
      },
      "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    const chunks = [
      chunk(0, 65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
      chunk(65_536, 66_560, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
      chunk(0, 0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ];
    const body = bytes(`${chunks.join("\r\n")}\r\n`);
    expect(body.length).toBe(66_824);
    expect(bytes(await read(headers, body, signed, 10_000))).toEqual(content);
    body[70_0] = 0x62;
    expect(await read(headers, body, signed, 10_000)).toBe("SignatureDoesNotMatch");
  });

  it("signed chunk by chunk, with a trailing checksum", async () => {
    const { headers, signature: signed } = verified(
      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
      {
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "x-amz-trailer": "x-amz-checksum-crc32c",
      },
      "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    );
    const chunks = [
      chunk(0, 65_536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
      chunk(65_536, 66_560, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
      chunk(0, 0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
    ];
    const trailer = (crc: string) =>
      `x-amz-checksum-crc32c:${crc}\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n`;
    const body = (crc: string) => bytes(chunks.join("\r\n") + trailer(crc));
    expect(bytes(await read(headers, body("sOO8/Q=="), signed, 10_000))).toEqual(content);
    expect(await read(headers, body("AAAAAA=="), signed, 10_000)).toBe("SignatureDoesNotMatch");
  });
});

describe("a body in chunks", () => {
  interface Form {
    readonly name: string;
    readonly isSigned: boolean;
    readonly hasTrailer: boolean;
  }
  const forms: readonly Form[] = [
    { name: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", isSigned: false, hasTrailer: true },
    { name: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", isSigned: true, hasTrailer: false },
    { name: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", isSigned: true, hasTrailer: true },
  ];
  const encode = (content: Uint8Array, chunkSizes: readonly number[], { isSigned, hasTrailer }: Form) => {
    const parts: Uint8Array[] = [];
    let previous = chain.firstSignature;
    const add = (chunk: Uint8Array) => {
      previous = chain.sign("chunk", previous, sha256(chunk));
      parts.push(bytes(`${chunk.length.toString(16)}${isSigned ? `;chunk-signature=${previous}` : ""}\r\n`), chunk);
      if (chunk.length > 0) parts.push(bytes("\r\n"));
    };
    let at = 0;
    for (const size of chunkSizes) {
      if (at < content.length && size > 0) add(content.subarray(at, at + size));
      at += size;
    }
    if (at < content.length) add(content.subarray(at));
    add(new Uint8Array(0));
    if (hasTrailer) {
      const line = `x-amz-checksum-sha256:${createHash("sha256").update(content).digest("base64")}`;
      parts.push(bytes(`${line}\r\n`));
      const signed = chain.sign("trailer", previous, sha256(bytes(`${line}\n`)));
      if (isSigned) parts.push(bytes(`x-amz-trailer-signature:${signed}\r\n`));
    }
    parts.push(bytes("\r\n"));
    return Uint8Array.from(Buffer.concat(parts));
  };
  const headersOf = (content: Uint8Array, { hasTrailer }: Form) => ({
    "x-amz-decoded-content-length": String(content.length),
    ...(hasTrailer ? { "x-amz-trailer": "x-amz-checksum-sha256" } : {}),
  });

  it.each(forms)("$name: comes out as it went in, however it is cut", async (form) => {
    const inputs = fc.tuple(
      fc.string({ maxLength: 300 }),
      fc.array(fc.nat(100), { maxLength: 10 }),
      fc.integer({ min: 1, max: 50 }),
    );
    await fc.assert(
      fc.asyncProperty(inputs, async ([text, chunkSizes, pieceBytes]) => {
        const content = bytes(text);
        const body = encode(content, chunkSizes, form);
        expect(await read(headersOf(content, form), body, signature(form.name), pieceBytes)).toBe(
          new TextDecoder().decode(content),
        );
      }),
      { numRuns: 200 },
    );
  });

  it.each(forms)("$name: cut short anywhere, or changed in any bit, is refused", async (form) => {
    const content = bytes("0123456789".repeat(3));
    const body = encode(content, [10, 15], form);
    for (let length = 0; length < body.length; length++) {
      expect([
        length,
        await read(headersOf(content, form), body.subarray(0, length), signature(form.name)),
      ]).not.toEqual([length, "0123456789".repeat(3)]);
    }
    for (let at = 0; at < body.length; at++) {
      for (const bit of [1, 4, 32]) {
        const changed = body.with(at, (body[at] ?? 0) ^ bit);
        const result = await read(headersOf(content, form), changed, signature(form.name));
        // A digit or a name in the other case means the same.
        if (result === "0123456789".repeat(3)) expect(bit).toBe(32);
        else expect(result).toMatch(/^[A-Z][A-Za-z0-9]+$/);
      }
    }
  });

  it.each<readonly [string, Readonly<Record<string, string>>, string, string]>([
    ["without its length", {}, "0\r\n\r\n", "MissingContentLength"],
    ["longer than it said", { "x-amz-decoded-content-length": "4" }, "5\r\nhello\r\n0\r\n\r\n", "EntityTooLarge"],
    ["shorter than it said", { "x-amz-decoded-content-length": "6" }, "5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"],
    ["with a chunk of no length", { "x-amz-decoded-content-length": "5" }, "x\r\nhello\r\n", "InvalidRequest"],
    ["with a line without end", { "x-amz-decoded-content-length": "5" }, "5".repeat(10_000), "InvalidRequest"],
    [
      "with trailers without end",
      { "x-amz-decoded-content-length": "0" },
      `0\r\n${"a:b\r\n".repeat(99)}`,
      "InvalidRequest",
    ],
    [
      "without the checksum that it promised",
      { "x-amz-decoded-content-length": "0", "x-amz-trailer": "x-amz-checksum-crc32" },
      "0\r\n\r\n",
      "InvalidRequest",
    ],
  ])("%s is refused", async (_rule, headers, body, expected) => {
    expect(await read(headers, bytes(body), signature("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), 1000)).toBe(expected);
  });

  it("signed, has chunks of a bounded length, as they are held", async () => {
    const headers = { "x-amz-decoded-content-length": "200000" };
    const body = bytes(`30d40;chunk-signature=${emptySha256}\r\n`);
    expect(await read(headers, body, signature("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))).toBe("EntityTooLarge");
  });
});
