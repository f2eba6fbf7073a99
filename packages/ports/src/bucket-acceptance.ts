import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BucketError, type Bucket, type ListOptions } from "./bucket.ts";

export interface BucketUnderTest {
  readonly bucket: Bucket; // empty, and for the test alone
  close(): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

/** Rules that some storage cannot keep. */
type ExceptableRule = "with ifAbsent lets one of many win";

/** `exceptions` are the rules that this storage cannot keep, each with the reason. */
export function runBucketAcceptance(
  name: string,
  open: () => Promise<BucketUnderTest>,
  exceptions: Readonly<Partial<Record<ExceptableRule, string>>> = {},
): void {
  /** The rule's name for the report, and whether it is tested. */
  const exceptable = (rule: ExceptableRule) => {
    const reason = exceptions[rule];
    return { title: reason === undefined ? rule : `${rule} (excepted: ${reason})`, isExcepted: reason !== undefined };
  };
  describe(`bucket: ${name}`, () => {
    let under: BucketUnderTest;
    let bucket: Bucket;
    beforeEach(async () => {
      under = await open();
      bucket = under.bucket;
    });
    afterEach(() => under.close());

    const put = (key: string, content = key) => bucket.put(key, bytes(content));
    const contentOf = async (key: string) => text(await bucket.get(key));
    const keys = async (prefix: string, options?: ListOptions) => {
      const found: string[] = [];
      for await (const key of bucket.list(prefix, options)) found.push(key);
      return found;
    };
    const kindOf = async (act: Promise<unknown>) => {
      try {
        await act;
      } catch (error) {
        if (error instanceof BucketError) return error.kind;
        throw error;
      }
      return "no error";
    };

    describe("put", () => {
      it("makes an object and replaces it", async () => {
        await put("a/b", "one");
        await put("a/b", "two, longer");
        expect(await contentOf("a/b")).toBe("two, longer");
        expect(await keys("")).toEqual(["a/b"]);
      });

      it("takes an empty object", async () => {
        expect((await bucket.put("empty", new Uint8Array(0))).sizeBytes).toBe(0);
        expect((await bucket.get("empty")).length).toBe(0);
      });

      it("takes a body in parts", async () => {
        async function* parts() {
          for (let i = 0; i < 300; i++) yield new Uint8Array(1000).fill(i);
        }
        expect((await bucket.put("parts", parts())).sizeBytes).toBe(300_000);
        const whole = await bucket.get("parts");
        expect([whole[0], whole[1000], whole[299_999]]).toEqual([0, 1, 299 & 0xff]);
      });

      it("keeps nothing of the caller's buffer", async () => {
        const body = bytes("mine");
        await bucket.put("a", body);
        body.fill(0);
        expect(await contentOf("a")).toBe("mine");
      });

      it("leaves no trace of a body that broke off", async () => {
        async function* broken() {
          yield bytes("half");
          throw new Error("source broke");
        }
        await put("kept", "old");
        await expect(bucket.put("kept", broken())).rejects.toThrow("source broke");
        await expect(bucket.put("fresh", broken())).rejects.toThrow("source broke");
        expect(await contentOf("kept")).toBe("old");
        expect(await keys("")).toEqual(["kept"]);
      });

      it("answers with the attributes that are told later", async () => {
        const attributes = await put("a", "hello");
        expect(attributes.sizeBytes).toBe(5);
        expect(Number.isInteger(attributes.modifiedMs)).toBe(true);
        expect(await bucket.attributes("a")).toEqual(attributes);
      });

      it("changes the etag with the content, and only then", async () => {
        const { etag } = await put("a", "one");
        expect((await put("a", "two")).etag).not.toBe(etag);
        expect((await put("a", "one")).etag).toBe(etag);
      });

      it("with ifAbsent refuses a key that is taken, and keeps what is there", async () => {
        await bucket.put("lease", bytes("first"), { ifAbsent: true });
        expect(await kindOf(bucket.put("lease", bytes("second"), { ifAbsent: true }))).toBe("precondition");
        expect(await contentOf("lease")).toBe("first");
      });

      const oneWins = exceptable("with ifAbsent lets one of many win");
      it.skipIf(oneWins.isExcepted)(oneWins.title, async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, (_, i) => kindOf(bucket.put("lease", bytes(`writer ${i}`), { ifAbsent: true }))),
        );
        expect(outcomes.filter((kind) => kind === "no error")).toHaveLength(1);
        expect(outcomes.filter((kind) => kind === "precondition")).toHaveLength(7);
        expect(await contentOf("lease")).toBe(`writer ${outcomes.indexOf("no error")}`);
      });

      it("with ifAbsent takes a key again after its deletion", async () => {
        await put("lease", "first");
        await bucket.delete("lease");
        await bucket.put("lease", bytes("second"), { ifAbsent: true });
        expect(await contentOf("lease")).toBe("second");
      });

      it("of many at once ends with one of them", async () => {
        const contents = Array.from({ length: 10 }, (_, i) => String(i).repeat(5000 + i));
        await Promise.all(contents.map((content) => put("same", content)));
        expect(contents).toContain(await contentOf("same"));
      });

      it("does nothing when its signal is aborted", async () => {
        const signal = AbortSignal.abort(new Error("no longer wanted"));
        await expect(bucket.put("a", bytes("x"), { signal })).rejects.toThrow("no longer wanted");
        expect(await keys("")).toEqual([]);
      });
    });

    describe("get", () => {
      it.each([
        ["from the start", 0, 2, "he"],
        ["from the middle", 2, 2, "ll"],
        ["fewer at the end", 3, 100, "lo"],
        ["nothing from the end on", 5, 1, ""],
        ["nothing past the end", 50, 1, ""],
        ["nothing when asked for nothing", 2, 0, ""],
      ])("gives %s", async (_rule, offset, length, expected) => {
        await put("greeting", "hello");
        expect(text(await bucket.get("greeting", { offset, length }))).toBe(expected);
      });

      it("gives bytes that the caller may change", async () => {
        await put("greeting", "hello");
        (await bucket.get("greeting")).fill(0);
        expect(await contentOf("greeting")).toBe("hello");
      });
    });

    it.each([
      ["get", () => bucket.get("none")],
      ["get of a range", () => bucket.get("none", { offset: 0, length: 1 })],
      ["attributes", () => bucket.attributes("none")],
      ["get of what is only a prefix", () => bucket.get("a")],
    ])("%s of a missing object is not-found", async (_rule, act) => {
      await put("a/b");
      expect(await kindOf(act())).toBe("not-found");
    });

    it("deletes, and minds nothing that is not there", async () => {
      await put("a/b/c");
      await put("a/d");
      await bucket.delete("a/b/c");
      await bucket.delete("a/b/c");
      await bucket.delete("never/was");
      expect(await kindOf(bucket.get("a/b/c"))).toBe("not-found");
      expect(await keys("")).toEqual(["a/d"]);
      expect(await keys("", { delimiter: "/" })).toEqual(["a/"]);
    });

    it("holds a key and keys below it", async () => {
      await put("a", "object");
      await put("a/b", "below");
      await put("a/b/c", "further below");
      expect([await contentOf("a"), await contentOf("a/b"), await contentOf("a/b/c")]).toEqual([
        "object",
        "below",
        "further below",
      ]);
      await bucket.delete("a/b");
      expect(await keys("")).toEqual(["a", "a/b/c"]);
    });

    describe("list", () => {
      const stored = ["a", "a-b", "a.b", "a/1", "a/2/x", "a/2/y", "a/3", "a0", "b", "\uFF5E", "\u{1F600}"];
      const all: readonly (readonly [string, string, ListOptions, readonly string[]])[] = [
        ["everything in byte order", "", {}, stored],
        ["below a prefix", "a/", {}, ["a/1", "a/2/x", "a/2/y", "a/3"]],
        ["below a prefix that ends inside a name", "a/2", {}, ["a/2/x", "a/2/y"]],
        ["the key that equals the prefix too", "a", {}, stored.slice(0, 8)],
        ["nothing below what is not there", "c/", {}, []],
        ["after a key", "", { after: "a/2/x" }, stored.slice(5)],
        ["after a key that is not there", "", { after: "a/25" }, stored.slice(6)],
        ["after the last", "", { after: "\u{1F600}" }, []],
        [
          "folded at the delimiter",
          "",
          { delimiter: "/" },
          ["a", "a-b", "a.b", "a/", "a0", "b", "\uFF5E", "\u{1F600}"],
        ],
        ["folded below a prefix", "a/", { delimiter: "/" }, ["a/1", "a/2/", "a/3"]],
        ["folded at a prefix inside a name", "a/2", { delimiter: "/" }, ["a/2/"]],
        ["folded after a folded entry", "a/", { delimiter: "/", after: "a/2/" }, ["a/3"]],
        ["folded after a key inside a fold", "a/", { delimiter: "/", after: "a/2/x" }, ["a/2/", "a/3"]],
      ];
      it.each(all)("gives %s", async (_rule, prefix, options, expected) => {
        for (const key of stored) await put(key, "x");
        expect(await keys(prefix, options)).toEqual(expected);
      });

      it("goes through more keys than one page of any storage holds", { timeout: 60_000 }, async () => {
        const expected = Array.from({ length: 1100 }, (_, i) => `p/${String(i).padStart(5, "0")}`);
        for (let i = 0; i < expected.length; i += 100) {
          await Promise.all(expected.slice(i, i + 100).map((key) => put(key, "x")));
        }
        expect(await keys("p/")).toEqual(expected);
        expect(await keys("p/", { after: "p/01000" })).toEqual(expected.slice(1001));
      });

      it("stops when its signal is aborted", async () => {
        await put("a");
        const signal = AbortSignal.abort(new Error("no longer wanted"));
        await expect(keys("", { signal })).rejects.toThrow("no longer wanted");
      });

      it("may be left half-way", async () => {
        for (const key of ["a", "b", "c"]) await put(key);
        for await (const key of bucket.list("")) {
          expect(key).toBe("a");
          break;
        }
      });
    });

    describe("keys", () => {
      const strange = [
        "with space/and  more",
        "percent%2e%2e/%25",
        "trailing./dot.",
        "back\\slash/C:\\x",
        "한국어/키",
        "UPPER/lower",
        "upper/lower",
        "~!@#$^&*()+={}[]|;:'\",<>?",
        ".hidden/..double",
        `${"k".repeat(200)}/${"l".repeat(200)}`,
      ];
      it.each(strange)("may be %j", async (key) => {
        await put(key, "content");
        expect(await contentOf(key)).toBe("content");
        expect(await keys("")).toEqual([key]);
      });

      const invalid = [
        "",
        "/",
        "/absolute",
        "trailing/",
        "a//b",
        ".",
        "..",
        "a/./b",
        "a/../b",
        "../../etc/passwd",
        "nul\0",
        "new\nline",
        "del\u007f",
        "lone \ud800 surrogate",
        "k".repeat(1025),
        "키".repeat(342),
      ];
      it.each(invalid)("may not be %j", async (key) => {
        expect(await kindOf(bucket.put(key, bytes("x")))).toBe("invalid-key");
        expect(await kindOf(bucket.get(key))).toBe("invalid-key");
        expect(await kindOf(bucket.attributes(key))).toBe("invalid-key");
        expect(await kindOf(bucket.delete(key))).toBe("invalid-key");
        expect(await keys("")).toEqual([]);
      });
    });
  });
}
