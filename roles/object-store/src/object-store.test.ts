import { signHeaders } from "@pleiad/s3-server";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { startObjectStore, type ObjectStoreOptions } from "./object-store.ts";

const credential = { accessKey: "key", secretKey: "secret" };
const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const options: ObjectStoreOptions = {
  name: "object-store",
  directory: "/data",
  address: "store:9000",
  region: "twin-1",
  credentials: [credential],
  buckets: ["metrics"],
};

async function open(changes: Partial<ObjectStoreOptions> = {}) {
  const ports = testPorts();
  const started = await startObjectStore({ ...options, ...changes }, ports);
  if (!started.ok) throw new Error(started.failure.message);
  const ask = async (method: "GET" | "PUT" | "POST", path: string, query = "") => {
    const request = { method, path, query, headers: new Map([["host", "store:9000"]]) };
    const signing = { credential, region: "twin-1", nowMs: ports.clock.wallMs(), payloadHash: emptySha256 };
    return ports.network.fetchHttp(`http://store:9000${path}${query === "" ? "" : `?${query}`}`, {
      method,
      headers: signHeaders(request, signing),
      signal: new AbortController().signal,
      bodyBytesMax: 1_000_000,
    });
  };
  return { ports, store: started.value, ask };
}

describe("object store", () => {
  it("keeps objects as plain files, and serves what is in its folder", async () => {
    const { ports, store, ask } = await open();
    expect((await ask("PUT", "/metrics/01HX/meta.json")).status).toBe(200);
    expect(ports.files.contents.has(`${store.folderOf("metrics")}/01HX/meta.json`)).toBe(true);
    await ports.files.writeFileAtomic(`${store.folderOf("metrics")}/theirs`, new TextEncoder().encode("content"));
    expect(new TextDecoder().decode((await ask("GET", "/metrics/theirs")).body)).toBe("content");
  });

  it("keeps its objects when it starts again", async () => {
    const { ports, store, ask } = await open();
    await ask("PUT", "/metrics/a");
    await store.stop(0);
    await expect(ask("GET", "/metrics/a")).rejects.toMatchObject({ kind: "unreachable" });
    const again = await startObjectStore(options, ports);
    expect(again.ok).toBe(true);
    expect((await ask("GET", "/metrics/a")).status).toBe(200);
  });

  it("forgets uploads that nobody completes, and no others", async () => {
    const { ports, ask } = await open();
    await ask("POST", "/metrics/old", "uploads=");
    await ports.clock.advance(20 * 3_600_000);
    await ask("POST", "/metrics/new", "uploads=");
    await ports.clock.advance(5 * 3_600_000);
    const page = new TextDecoder().decode((await ask("GET", "/metrics", "uploads=")).body);
    expect([...page.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key)).toEqual(["new"]);
  });

  it("is ready until it stops, and ends its work then", async () => {
    const { ports, store } = await open();
    expect(store.ready()).toEqual({ ready: true });
    await store.stop(1000);
    expect(store.ready()).toEqual({ ready: false, reason: "stopping" });
    await ports.clock.advance(10 * 3_600_000);
  });

  it.each<readonly [string, Partial<ObjectStoreOptions>, string]>([
    ["without a credential", { credentials: [] }, "needs credentials"],
    ["with an empty key", { credentials: [{ accessKey: "x", secretKey: "" }] }, "needs credentials"],
    ["with a bucket of a wrong name", { buckets: ["../out"] }, '"../out" is no name for a bucket'],
    ["where somebody listens", { address: "store:9999" }, "S3 on store:9999: store:9999: address already in use"],
    ["where no folder can be made", { directory: "/file" }, "/file/buckets/metrics"],
  ])("does not start %s", async (_rule, changes, message) => {
    const ports = testPorts();
    await ports.files.writeFileAtomic("/file", new Uint8Array(0));
    await ports.network.serveHttp("store:9999", async () => ({ status: 200, headers: {}, body: "" }));
    const started = await startObjectStore({ ...options, ...changes }, ports);
    expect(started.ok ? "" : started.failure.message).toContain(message);
  });
});
