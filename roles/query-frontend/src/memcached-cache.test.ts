/** What becomes of answers that are none; the real memcached is in `e2e/query-frontend.test.ts`. */
import type { ConnectTcp, TcpHandlers } from "@pleiad/ports";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemcachedCache, defaultMemcachedCache, type MemcachedCacheOptions } from "./memcached-cache.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const never = new AbortController().signal;
const value = bytesOf("an answer\r\nEND\r\n");

/** A cache whose peer is the test: what it was sent, and what it says. */
function openScene(changes: Partial<MemcachedCacheOptions> = {}) {
  const links: { readonly handlers: TcpHandlers; sent: Uint8Array; isOpen: boolean }[] = [];
  const connectTcp: ConnectTcp = (_host, _port, handlers) => {
    const link = { handlers, sent: new Uint8Array(0), isOpen: true };
    links.push(link);
    return {
      write: (bytes) => (link.sent = Uint8Array.from([...link.sent, ...bytes])),
      destroy: () => {
        if (!link.isOpen) return;
        link.isOpen = false;
        handlers.onEnd(undefined);
      },
    };
  };
  const options = { ...defaultMemcachedCache, host: "m", port: 11_211, ...changes };
  const cache = createMemcachedCache(options, connectTcp);
  const say = (text: string | Uint8Array) =>
    links.at(-1)?.handlers.onBytes(typeof text === "string" ? bytesOf(text) : text);
  return { cache, links, say, sentText: () => new TextDecoder("latin1").decode(links.at(-1)?.sent) };
}

/** What a memcached answers that holds `value` under `key`. */
async function storedAnswer(key = "k"): Promise<Uint8Array> {
  const { cache, links, say } = openScene();
  const writing = cache.write(key, value, never);
  say("STORED\r\n");
  await writing;
  const { sent = new Uint8Array(0) } = links[0] ?? {};
  const data = sent.subarray(sent.indexOf(0x0a) + 1, sent.length - 2);
  return Uint8Array.from([...bytesOf(`VALUE ${key} 0 ${data.length}\r\n`), ...data, ...bytesOf("\r\nEND\r\n")]);
}

const outcomeOf = async (reading: Promise<Uint8Array | undefined>) =>
  await reading.then(
    (found) => (found === undefined ? "unknown" : new TextDecoder().decode(found)),
    (error: Error) => `failed: ${error.message}`,
  );

describe("a memcached", () => {
  it("gives what it was given, in whatever pieces it comes", async () => {
    const answer = await storedAnswer();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), async (sizes) => {
        const { cache, say } = openScene();
        const reading = outcomeOf(cache.read("k", never));
        for (let at = 0, i = 0; at < answer.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          say(answer.slice(at, at + size));
          at += size;
        }
        expect(await reading).toBe("an answer\r\nEND\r\n");
      }),
    );
  });

  it("answers many in their order, on one connection", async () => {
    const { cache, links, say, sentText } = openScene();
    const outcomes = Promise.all(["a", "k", "b"].map((key) => outcomeOf(cache.read(key, never))));
    expect(sentText()).toBe("get a\r\nget k\r\nget b\r\n");
    say("END\r\n");
    say(await storedAnswer());
    say("END\r\n");
    expect(await outcomes).toEqual(["unknown", "an answer\r\nEND\r\n", "unknown"]);
    expect(links).toHaveLength(1);
  });

  it("is told how long to keep it, but for a month at most, and nothing that is too large", async () => {
    const { cache, say, sentText } = openScene({ expirationMs: 1e12, itemBytesMax: 20 });
    await cache.write("k", new Uint8Array(21), never);
    expect(sentText()).toBe("");
    const writing = cache.write("k", bytesOf("x"), never);
    say("SERVER_ERROR out of memory storing object\r\n");
    await writing;
    expect(sentText()).toMatch(/^set k 0 2592000 17\r\n/);
  });

  for (const [rule, said, outcome] of [
    ["another key", "VALUE other 0 1\r\nx\r\nEND\r\n", /^failed: .*it answered "VALUE other/],
    ["an error", "SERVER_ERROR busy\r\n", /^failed: .*it answered "SERVER_ERROR busy"/],
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", /^failed: .*it answered "HTTP/],
    ["no line end", "x".repeat(1000), /^failed: .*an answer without end/],
    ["more than it can hold", "VALUE k 0 999999999\r\n", /^failed: .*a value of 999999999 bytes/],
    ["a length that is wrong", "VALUE k 0 3\r\nabcdef\r\nEND\r\n", /^failed: .*does not end where it should/],
    ["a value that was not written here", "VALUE k 0 20\r\n01234567890123456789\r\nEND\r\n", /^unknown$/],
    ["a value too short to be one", "VALUE k 0 3\r\nabc\r\nEND\r\n", /^unknown$/],
  ] as const) {
    it(`that says ${rule} gives no answer, and never another's`, async () => {
      const { cache, links, say } = openScene();
      const first = outcomeOf(cache.read("k", never));
      const second = outcomeOf(cache.read("second", never));
      say(said);
      expect(await first).toMatch(outcome);
      if (outcome.source.startsWith("^failed")) {
        expect(await second).toBe(await first);
        expect(links[0]?.isOpen).toBe(false);
        const again = outcomeOf(cache.read("k", never));
        say("END\r\n");
        expect([await again, links.length]).toEqual(["unknown", 2]);
      } else {
        say("END\r\n");
        expect(await second).toBe("unknown");
      }
    });
  }

  it("that has changed any bit of a value does not know it", async () => {
    const answer = await storedAnswer();
    const from = answer.indexOf(0x0a) + 1;
    for (let bit = 0; bit < 8 * (answer.length - from - 7); bit++) {
      const { cache, say } = openScene();
      const reading = outcomeOf(cache.read("k", never));
      const changed = answer.slice();
      changed[from + (bit >> 3)] = (changed[from + (bit >> 3)] ?? 0) ^ (1 << (bit & 7));
      say(changed);
      expect([bit, await reading]).toEqual([bit, "unknown"]);
    }
  });

  it("that says something unasked, or goes away, is connected to anew", async () => {
    const { cache, links, say } = openScene();
    const first = outcomeOf(cache.read("k", never));
    say("END\r\nEND\r\n");
    expect([await first, links[0]?.isOpen]).toEqual(["unknown", false]);
    const second = outcomeOf(cache.read("k", never));
    links[1]?.handlers.onEnd("connect ECONNREFUSED");
    expect([await second, links.length]).toEqual(["failed: memcached m:11211: connect ECONNREFUSED", 2]);
  });

  it("that does not answer in time is given up, with all that wait for it", async () => {
    const { cache, links } = openScene();
    const patience = new AbortController();
    const outcomes = Promise.all([outcomeOf(cache.read("k", patience.signal)), outcomeOf(cache.read("b", never))]);
    patience.abort(new Error("too late"));
    expect(await outcomes).toEqual(["failed: too late", expect.stringMatching(/^failed: memcached/)]);
    expect(links[0]?.isOpen).toBe(false);
  });

  it("is asked no more than it may be at once", async () => {
    const { cache } = openScene({ questionsMax: 1, pendingBytesMax: 100 });
    const first = outcomeOf(cache.read("k", never));
    expect(await outcomeOf(cache.read("b", never))).toBe("failed: more than 1 questions wait for memcached");
    await cache.close();
    expect(await first).toMatch(/^failed/);
    await expect(cache.write("k", new Uint8Array(200), never)).rejects.toThrow("more than 100 bytes");
  });
});
