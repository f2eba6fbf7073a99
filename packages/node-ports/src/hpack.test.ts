/** Header blocks, against the examples of RFC 7541, appendix C, and what Node's HTTP/2 makes of any value. */
import { once } from "node:events";
import { connect } from "node:http2";
import type { RpcHandler } from "@pleiad/ports";
import { seededRandom } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createHeaderDecoder, encodeHeaders } from "./hpack.ts";
import { createNodePorts } from "./node-ports.ts";

const limits = { fieldsMax: 20, textMax: 1000 };
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const first = { ":method": "GET", ":scheme": "http", ":path": "/", ":authority": "www.example.com" };

describe("decoding", () => {
  const sequences: readonly (readonly [string, readonly (readonly [string, Record<string, string>])[]])[] = [
    [
      "literals that later blocks name (C.3)",
      [
        ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", first],
        ["8286 84be 5808 6e6f 2d63 6163 6865", { ...first, "cache-control": "no-cache" }],
      ],
    ],
    [
      "the same in Huffman's code (C.4)",
      [
        ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", first],
        ["8286 84be 5886 a8eb 1064 9cbf", { ...first, "cache-control": "no-cache" }],
        [
          "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
          { ...first, ":scheme": "https", ":path": "/index.html", "custom-key": "custom-value" },
        ],
      ],
    ],
    ["one that is never to be kept (C.2.3)", [["1008 7061 7373 776f 7264 0673 6563 7265 74", { password: "secret" }]]],
    ["several of one name", [["0001 6101 3100 0161 0132", { a: "1, 2" }]]],
    ["a smaller table", [["3f01 82", { ":method": "GET" }]]],
  ];
  it.each(sequences)("%s", (_rule, blocks) => {
    const decoder = createHeaderDecoder(limits);
    for (const [block, fields] of blocks) expect(Object.fromEntries(decoder.decode(hex(block)) ?? [])).toEqual(fields);
  });

  it.each([
    ["index 0", "80"],
    ["an index that the table has not", "be"],
    ["an index without end", "ffffffffffffff"],
    ["a value cut short", "0001 6105 31"],
    ["a name cut short", "0005 61"],
    ["nothing behind a name", "0001 61"],
    ["a table larger than allowed", "3fe2 1f"],
    ["a table's size behind a field", "8220"],
    ["Huffman's code filled up with zeros", "0001 6181 18"],
    ["Huffman's code of the end", "0001 6184 ffff ffff"],
    ["more fields than allowed", "82".repeat(21)],
    ["more text than allowed", `0001 617f e907 ${"61".repeat(1000)}`],
  ])("refuses %s", (_rule, block) => {
    expect(createHeaderDecoder(limits).decode(hex(block))).toBeUndefined();
  });

  it("forgets what no longer fits the table", () => {
    const decoder = createHeaderDecoder({ fieldsMax: 10, textMax: 10_000 });
    const long = `4001 617f 8112 ${"62".repeat(2432)}`; // a literal that is kept, with a value of 2432 bytes
    expect(decoder.decode(hex(long))?.get("a")).toBe("b".repeat(2432));
    expect(decoder.decode(hex("be"))?.get("a")).toBe("b".repeat(2432));
    expect(decoder.decode(hex(long))).toBeDefined();
    expect(decoder.decode(hex("bf"))).toBeUndefined();
  });
});

it("what is encoded is what is decoded", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 300; round++) {
    const text = (lengthMax: number) =>
      Array.from({ length: 1 + random.int(lengthMax) }, () => String.fromCharCode(random.int(256))).join("");
    const fields = new Map(Array.from({ length: random.int(8) }, () => [text(200), text(300)] as const));
    fields.set(":method", "POST").set(":status", "200").set("content-type", "application/grpc");
    const block = Uint8Array.from(encodeHeaders([...fields].flat()));
    const decoder = createHeaderDecoder({ fieldsMax: 20, textMax: 10_000 });
    expect(decoder.decode(block), `round ${String(round)}`).toEqual(fields);
  }
});

it("any value comes whole from Node's HTTP/2, first and once more", async () => {
  const { network } = createNodePorts({ observations: silentObservations() });
  const seen: string[] = [];
  const handler: RpcHandler = {
    kind: "unary",
    handle: async (request, { metadata }) => {
      seen.push(metadata.get("x-value") ?? "");
      return request;
    },
  };
  const listener = await network.serveRpc("127.0.0.1:0", new Map([["/t.T/Echo", handler]]));
  const session = connect(`http://${listener.address}`);
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))
    .join("")
    .trim();
  const high = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join("");
  const values = [
    printable,
    high,
    "a",
    printable.repeat(20),
    printable,
    ...Array.from(printable, (character) => character.repeat(9).trim()),
  ];
  const sent = values.filter((value) => value !== "");
  try {
    for (const value of sent) {
      const headers = { ":method": "POST", ":path": "/t.T/Echo", "content-type": "application/grpc" };
      const stream = session.request({ ...headers, "x-value": value });
      stream.resume();
      stream.end(Uint8Array.of(0, 0, 0, 0, 0));
      await once(stream, "close");
    }
    expect(seen).toEqual(sent);
  } finally {
    session.destroy();
    await listener.close(0);
  }
});
