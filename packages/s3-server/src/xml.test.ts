import { describe, expect, it } from "vitest";
import { parseXml, renderXml } from "./xml.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("XML", () => {
  it("is rendered with its names, numbers and escapes", () => {
    expect(
      renderXml([
        "A",
        [
          ["B", `<&>"'\n`],
          ["C", 1],
          ["D", []],
          ["E", true],
        ],
      ]),
    ).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<A xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><B>&#60;&#38;&#62;&#34;&#39;&#10;</B><C>1</C><D></D><E>true</E></A>',
    );
    expect(renderXml(["Error", [["Code", "X"]]])).toContain("<Error><Code>X</Code></Error>");
  });

  it.each([
    ["plain", "<Delete><Object><Key>a</Key></Object></Delete>", "a"],
    [
      "with a declaration and a namespace",
      '<?xml version="1.0"?><Delete xmlns="http://s3"><Object><Key>a</Key></Object></Delete>',
      "a",
    ],
    ["with prefixes", '<s:Delete xmlns:s="x"><s:Object><s:Key>a</s:Key></s:Object></s:Delete>', "a"],
    [
      "with characters by name and number",
      "<Delete><Object><Key>&lt;&amp;&#39;&#x27;&quot;</Key></Object></Delete>",
      "<&''\"",
    ],
    ["with characters escaped twice", "<Delete><Object><Key>&amp;lt;</Key></Object></Delete>", "&lt;"],
    ["with what looks like a number", "<Delete><Object><Key>007</Key></Object></Delete>", "007"],
    ["with spaces", "<Delete> <Object>\n<Key> a </Key></Object></Delete>", " a "],
    ["with other characters", "<Delete><Object><Key>한 \u{1F600}</Key></Object></Delete>", "한 \u{1F600}"],
    ["with raw text", "<Delete><Object><Key><![CDATA[<a>]]></Key></Object></Delete>", "<a>"],
    ["with names of objects", "<Delete><Object><Key>__proto__</Key></Object></Delete>", "__proto__"],
  ])("%s is read", (_rule, text, key) => {
    const root = parseXml(bytes(text), "Delete");
    expect(root.elements("Object").map((object) => object.text("Key"))).toEqual([key]);
    expect(root.text("Quiet")).toBeUndefined();
  });

  it("is read back as it was rendered", () => {
    const key = ` <a>&amp;"'\t\r\n한 `;
    expect(parseXml(bytes(renderXml(["Root", [["Key", key]]])), "Root").text("Key")).toBe(key);
  });

  it.each([
    ["nothing", ""],
    ["no XML", "hello"],
    ["another document", "<Other/>"],
    ["what is not closed", "<Delete><Object>"],
    ["what is closed otherwise", "<Delete></Object>"],
    ["entities of its own", '<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>'],
  ])("that is %s is refused", (_rule, text) => {
    expect(() => parseXml(bytes(text), "Delete")).toThrow(expect.objectContaining({ code: "MalformedXML" }));
  });

  it("that is no UTF-8 is refused", () => {
    expect(() => parseXml(Uint8Array.of(0x3c, 0xff), "Delete")).toThrow(
      expect.objectContaining({ code: "MalformedXML" }),
    );
  });
});
