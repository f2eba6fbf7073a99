import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { md5 } from "./md5.ts";

it("gives the digests of RFC 1321", () => {
  const hex = (text: string) => Buffer.from(md5(new TextEncoder().encode(text))).toString("hex");
  expect(hex("")).toBe("d41d8cd98f00b204e9800998ecf8427e");
  expect(hex("message digest")).toBe("f96b697d7cb7938d525a2f31aaf161d0");
});

it("agrees with another implementation on any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(Buffer.from(md5(bytes)).toString("hex")).toBe(createHash("md5").update(bytes).digest("hex"));
    }),
  );
});
