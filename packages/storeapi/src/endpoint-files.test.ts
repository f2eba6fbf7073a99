import { fail, ok } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { openEndpointFiles } from "./endpoint-files.ts";

const listing = (...addresses: readonly string[]) => new TextEncoder().encode(JSON.stringify([{ targets: addresses }]));

/** Files in memory, and what a follower of them was handed so far. */
async function follow(paths: readonly string[], contents: Readonly<Record<string, Uint8Array>>) {
  const ports = testPorts();
  const lines: string[] = [];
  const gauges = new Map<string, number>();
  const observations = {
    ...ports.observations,
    gauge: (name: string) => ({ set: (value: number, file = "") => void gauges.set(`${name} ${file}`, value) }),
    log: (level: string, _message: string, fields: Readonly<Record<string, string | number | boolean>> = {}) =>
      void lines.push(`${level} ${Object.values(fields).join(": ")}`),
  };
  await ports.files.makeDirectory("/sd");
  for (const [path, bytes] of Object.entries(contents)) await ports.files.writeFileAtomic(path, bytes);
  const opened = await openEndpointFiles({ paths, intervalMs: 5_000 }, { ...ports, observations });
  if (!opened.ok) return { failure: opened.failure };
  const taken: string[] = [];
  const refusing = { next: false };
  const stopping = new AbortController();
  const done = opened.value.follow(async (specs) => {
    if (refusing.next) return fail("too many");
    taken.push(specs.map(({ address }) => address).join(" "));
    return ok(undefined);
  }, stopping.signal);
  const goodness = (file: string) => gauges.get(`pleiad_endpoint_file_last_reload_successful ${file}`);
  const first = opened.value.specs.map(({ address }) => address).join(" ");
  return { ...ports, first, taken, lines, goodness, refusing, stop: async () => (stopping.abort(), await done) };
}

type Following = Exclude<Awaited<ReturnType<typeof follow>>, { failure: string }>;

async function following(...args: Parameters<typeof follow>): Promise<Following> {
  const one = await follow(...args);
  if ("failure" in one) throw new Error(one.failure);
  return one;
}

describe("endpoint files of a running querier", () => {
  it("are read anew when they change, and only then", async () => {
    const one = await following(["/sd/a.json"], { "/sd/a.json": listing("a:1") });
    expect(one.first).toBe("a:1");
    await one.clock.advance(20_000);
    expect(one.taken).toEqual([]);
    await one.files.writeFileAtomic("/sd/a.json", listing("a:1", "b:1"));
    await one.clock.advance(5_000);
    expect(one.taken).toEqual(["a:1 b:1"]);
    await one.stop();
  });

  it("that become wrong keep what they said, once in the log, and in a metric", async () => {
    const one = await following(["/sd/a.json"], { "/sd/a.json": listing("a:1") });
    await one.files.writeFileAtomic("/sd/a.json", listing("nothing"));
    await one.clock.advance(15_000);
    expect(one.goodness("/sd/a.json")).toBe(0);
    expect(one.taken).toEqual([]);
    expect(one.lines).toEqual([
      "error /sd/a.json: [0].targets[0]: nothing: expected host:port, such as thanos-store:10901",
    ]);
    await one.files.writeFileAtomic("/sd/a.json", listing("b:1"));
    await one.clock.advance(5_000);
    expect(one.goodness("/sd/a.json")).toBe(1);
    expect(one.taken).toEqual(["b:1"]);
    await one.stop();
  });

  it("that go keep what they said, where they are named", async () => {
    const one = await following(["/sd/a.json"], { "/sd/a.json": listing("a:1") });
    await one.files.unlink("/sd/a.json");
    await one.clock.advance(10_000);
    expect(one.taken).toEqual([]);
    expect(one.lines).toEqual(["error /sd/a.json: ENOENT: readFile /sd/a.json"]);
    await one.stop();
  });

  it("come and go where a pattern names them; an address of two files is one endpoint", async () => {
    const one = await following(["/sd/*.json"], { "/sd/a.json": listing("a:1", "b:1"), "/sd/x.txt": listing("x:1") });
    expect(one.first).toBe("a:1 b:1");
    await one.files.writeFileAtomic("/sd/b.json", listing("b:1", "c:1"));
    await one.clock.advance(5_000);
    await one.files.unlink("/sd/a.json");
    await one.clock.advance(5_000);
    expect(one.taken).toEqual(["a:1 b:1 c:1", "b:1 c:1"]);
    await one.stop();
  });

  it("that could not be taken are handed over again", async () => {
    const one = await following(["/sd/a.json"], { "/sd/a.json": listing("a:1") });
    one.refusing.next = true;
    await one.files.writeFileAtomic("/sd/a.json", listing("b:1"));
    await one.clock.advance(5_000);
    one.refusing.next = false;
    await one.clock.advance(5_000);
    expect(one.taken).toEqual(["b:1"]);
    expect(one.lines).toEqual(["error /sd/a.json: too many", "info 1"]);
    await one.stop();
  });

  it("must be right at the start", async () => {
    expect(await follow(["/sd/a.json"], {})).toEqual({ failure: "/sd/a.json: ENOENT: readFile /sd/a.json" });
    expect(await follow(["/sd/*.json"], { "/sd/a.json": new TextEncoder().encode("endpoints: 7") })).toEqual({
      failure: "/sd/a.json: endpoints: expected a list",
    });
  });
});
