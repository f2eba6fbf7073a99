import { createBlockLister } from "@pleiad/blocks";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { collectSeries, formatLabels, labelsFromRecord, plainSelect, type Matcher } from "@pleiad/model";
import { memoryBucket, testPorts, type TestPorts } from "@pleiad/ports/testing";
import { post, writeRequest } from "@pleiad/remote/testing";
import { createFanout, createStoreClient, defaultFanout, defaultStoreClient } from "@pleiad/storeapi";
import { describe, expect, it } from "vitest";
import { defaultReceiver, startReceiver, type ReceiverOptions } from "./receiver.ts";

const startMs = 1_700_000_000_000;
const hourMs = 3_600_000;
const replica = labelsFromRecord({ receive_replica: "0" });
const { signal } = new AbortController();

function openWorld() {
  const registry = createMetricRegistry();
  const ports: TestPorts = { ...testPorts({ startMs }), observations: observationsOf(registry, () => {}) };
  const options: ReceiverOptions = {
    ...defaultReceiver,
    name: "receiver",
    directory: "/data",
    remoteWriteAddress: "receiver:19291",
    grpcAddress: "receiver:10901",
    httpAddress: "127.0.0.1:10902",
    labels: replica,
    renderMetrics: () => registry.render(),
  };
  const start = async (changes: Partial<ReceiverOptions> = {}) => {
    const started = await startReceiver({ ...options, ...changes }, ports);
    if (!started.ok) throw new Error(started.failure.message);
    return started.value;
  };
  /** Sends samples `[metric, ms after the start, value]`; gives status and text. */
  const send = async (
    samples: readonly (readonly [metric: string, afterMs: number, value: number])[],
    tenant?: string,
    path = "/api/v1/receive",
  ) => {
    const series = samples.map(([metric, afterMs, value]) => ({
      labels: [["__name__", metric]] as const,
      samples: [[startMs + afterMs, value]] as const,
    }));
    const { body, headers } = post(writeRequest(series));
    const answer = await ports.network.fetchHttp(`http://receiver:19291${path}`, {
      method: "POST",
      headers: { ...Object.fromEntries(headers), ...(tenant === undefined ? {} : { "thanos-tenant": tenant }) },
      body,
      signal,
      bodyBytesMax: 1 << 20,
    });
    return `${answer.status} ${new TextDecoder().decode(answer.body)}`.trim();
  };
  const ask = async (...matchers: readonly Matcher[]) => {
    const client = createStoreClient("receiver:10901", ports, { ...defaultStoreClient, name: "receiver" });
    const all: Matcher = { type: "!=", name: "__name__", value: "" };
    const { series, warnings } = await collectSeries(
      client.select({ ...plainSelect, matchers: [all, ...matchers] }, signal),
    );
    const info = await client.info(signal);
    await client.close();
    return {
      series: series.map(({ labels }) => formatLabels(labels)),
      warnings,
      info: info.ok ? info.value : undefined,
    };
  };
  const probe = async (path: string) => {
    const url = `http://127.0.0.1:10902${path}`;
    const { status, body } = await ports.network.fetchHttp(url, { signal, bodyBytesMax: 1 << 20 });
    return `${status} ${new TextDecoder().decode(body)}`.trim();
  };
  return { ports, start, send, ask, probe, registry };
}

describe("a receiver", () => {
  it("keeps tenants apart, and serves all under their labels", async () => {
    const { start, send, ask } = openWorld();
    const receiver = await start();
    expect(await send([["m", 0, 1]], "berlin")).toBe("204");
    expect(await send([["m", 0, 2]], "tokyo", "/api/v1/write")).toBe("204");
    expect(await send([["m", 0, 3]])).toBe("204");
    const { series, info } = await ask();
    expect(series).toEqual([
      'm{receive_replica="0", tenant_id="berlin"}',
      'm{receive_replica="0", tenant_id="default-tenant"}',
      'm{receive_replica="0", tenant_id="tokyo"}',
    ]);
    expect(info).toMatchObject({
      componentType: "receive",
      minTimeMs: startMs,
      labelSets: ["berlin", "default-tenant", "tokyo"].map((tenant_id) =>
        labelsFromRecord({ receive_replica: "0", tenant_id }),
      ),
    });
    expect((await ask({ type: "=", name: "tenant_id", value: "tokyo" })).series).toHaveLength(1);
    await receiver.stop(0);
  });

  it("tells those above of exemplars, of each tenant under its labels", async () => {
    const { ports, start } = openWorld();
    const receiver = await start();
    const write = async (request: Uint8Array, tenant: string) => {
      const { body, headers } = post(request);
      await ports.network.fetchHttp("http://receiver:19291/api/v1/receive", {
        method: "POST",
        headers: { ...Object.fromEntries(headers), "thanos-tenant": tenant },
        ...{ body, signal, bodyBytesMax: 1 << 20 },
      });
    };
    for (const [tenant, trace] of [
      ["berlin", "t1"],
      ["tokyo", "t2"],
    ] as const) {
      const labels = [["__name__", "calls_total"]] as const;
      const exemplars = [[trace, 0.5, startMs]] as const;
      await write(writeRequest([{ labels, samples: [[startMs, 7]], exemplars }]), tenant);
    }
    const endpoints = [{ address: "receiver:10901", name: "receiver", expects: [] }];
    const fanout = createFanout({ ...defaultFanout, endpoints, replicaLabels: ["receive_replica"] }, ports);
    await fanout.refresh();
    const tracesOf = async (...selectors: readonly (readonly Matcher[])[]) => {
      const request = { selectors, minTimeMs: startMs - hourMs, maxTimeMs: startMs + hourMs };
      const answer = await fanout.monitoring.exemplars(
        { ...request, withoutLabels: ["receive_replica"], onFailure: "abort" },
        signal,
      );
      if (!answer.ok) throw new Error(answer.failure.kind);
      return answer.value.series.map(
        ({ labels, exemplars }) => `${formatLabels(labels)} ${exemplars.map((one) => formatLabels(one.labels)).join()}`,
      );
    };
    const calls: Matcher = { type: "=", name: "__name__", value: "calls_total" };
    const berlin = 'calls_total{tenant_id="berlin"} {trace_id="t1"}';
    expect(await tracesOf([calls])).toEqual([berlin, 'calls_total{tenant_id="tokyo"} {trace_id="t2"}']);
    expect(await tracesOf([{ type: "=", name: "tenant_id", value: "berlin" }])).toEqual([berlin]);
    expect(await tracesOf([{ type: "=", name: "__name__", value: "other" }])).toEqual([]);
    await fanout.stop();
    await receiver.stop(0);
  });

  it("has after a restart whatever it acknowledged, before anyone writes again", async () => {
    const { start, send, ask } = openWorld();
    const first = await start();
    await send([["m", 0, 1]], "berlin");
    await first.stop(0);
    const second = await start();
    expect((await ask()).series).toEqual(['m{receive_replica="0", tenant_id="berlin"}']);
    await second.stop(0);
  });

  it("answers what is no write, and whom it does not take, by their statuses", async () => {
    const { start, send } = openWorld();
    const receiver = await start({ tenantsMax: 1 });
    expect(await send([["m", 0, 1]], "a", "/api/v1/query")).toBe("404 nothing at /api/v1/query");
    expect(await send([["m", 0, 1]], "../a")).toBe("400 the tenant's name has letters, digits, - _ . only");
    expect(await send([["m", 0, 1]], "a")).toBe("204");
    expect(await send([["m", 0, 1]], "b")).toBe("429 more than 1 tenants");
    await receiver.stop(0);
  });

  it("is not ready while a tenant's disk refuses, and answers 500: the sender tries again", async () => {
    const { start, send, probe, ports } = openWorld();
    const receiver = await start();
    await send([["m", 0, 1]], "berlin");
    expect(await probe("/-/ready")).toBe("200 OK");
    ports.files.failFrom(1, "ENOSPC");
    expect(await send([["m", 15_000, 2]], "berlin")).toMatch(/^500 .*ENOSPC/);
    expect(await probe("/-/ready")).toMatch(/^503 not ready: takes no samples: tenant berlin: .*ENOSPC/);
    ports.files.heal();
    expect(await send([["m", 15_000, 2]], "berlin")).toBe("204");
    expect(await probe("/-/ready")).toBe("200 OK");
    await receiver.stop(0);
  });

  it("has metrics of its own, by tenant", async () => {
    const { start, send, registry } = openWorld();
    const receiver = await start();
    await send(
      [
        ["m", 0, 1],
        ["n", 0, 1],
      ],
      "berlin",
    );
    await send([["m", -1000, 1]], "berlin");
    const page = registry.render();
    for (const line of [
      'pleiad_remote_write_samples_total{tenant="berlin",version="1.0"} 2',
      'pleiad_remote_write_refused_total{tenant="berlin",version="1.0"} 1',
      'prometheus_tsdb_head_samples_appended_total{tenant="berlin"} 2',
      'http_requests_total{code="204",handler="receive",method="post"} 1',
      'http_requests_total{code="400",handler="receive",method="post"} 1',
    ]) {
      expect(page).toContain(line);
    }
    await receiver.stop(0);
  });

  it("takes the blocks of each tenant to the bucket under its labels, and says that a receiver made them", async () => {
    const { start, send, ports } = openWorld();
    const bucket = memoryBucket();
    const receiver = await start({ objectStorage: bucket });
    for (let after = 0; after <= 4 * hourMs; after += hourMs / 4) {
      for (const tenant of ["berlin", "tokyo"]) expect(await send([["m", after, after]], tenant)).toBe("204");
      await ports.clock.advance(hourMs / 4);
    }
    const listing = await createBlockLister(bucket).refresh(signal);
    if (!listing.ok) throw listing.failure;
    const made = [...listing.value.blocks.values()].map(({ meta: { thanos } }) => [thanos?.labels, thanos?.source]);
    for (const tenant_id of ["berlin", "tokyo"]) {
      expect(made).toContainEqual([{ receive_replica: "0", tenant_id }, "receive"]);
    }
    await receiver.stop(0);
  }, 30_000);
});

describe("the file of tenants", () => {
  const put = async (ports: TestPorts, text: string) => {
    await ports.files.writeFileAtomic("/tenants.yaml", new TextEncoder().encode(text));
  };

  it("gives labels and limits, and is followed without a restart", async () => {
    const { start, send, ask, ports, registry } = openWorld();
    await put(ports, "tenants: { berlin: { labels: { cluster: berlin } } }");
    const receiver = await start({ tenantsFile: "/tenants.yaml" });
    await send([["m", 0, 1]], "berlin");
    await send([["m", 0, 1]], "tokyo");
    expect((await ask()).series).toEqual([
      'm{cluster="berlin", receive_replica="0"}',
      'm{receive_replica="0", tenant_id="tokyo"}',
    ]);
    await put(ports, "tenants: { berlin: { labels: { cluster: b }, limits: { series: 1 } } }\nother_tenants: refuse");
    await ports.clock.advance(16_000);
    expect(await send([["m", 15_000, 1]], "tokyo")).toBe("403 the tenant tokyo is not known here");
    expect(
      await send(
        [
          ["m", 15_000, 1],
          ["n", 15_000, 1],
        ],
        "berlin",
      ),
    ).toMatch(/^400 1 of 2 .* more than 1 series$/);
    expect((await ask()).series).toEqual([
      'm{cluster="b", receive_replica="0"}',
      'm{receive_replica="0", tenant_id="tokyo"}',
    ]);
    await put(ports, "tenants: [");
    await ports.clock.advance(16_000);
    expect(registry.render()).toContain("pleiad_receiver_tenants_last_reload_successful 0");
    expect(await send([["m", 30_000, 1]], "berlin")).toBe("204");
    await receiver.stop(0);
  });

  it("cannot make two tenants one stream of blocks", async () => {
    const { start, send, ports } = openWorld();
    await put(ports, "tenants: { berlin: { labels: { tenant_id: tokyo } } }");
    const receiver = await start({ tenantsFile: "/tenants.yaml" });
    expect(await send([["m", 0, 1]], "berlin")).toBe("204");
    expect(await send([["m", 0, 1]], "tokyo")).toBe("500 tenant tokyo: its labels are those of tenant berlin");
    await receiver.stop(0);
  });

  it("opens a tenant whose labels were another's, once they are its own", async () => {
    const { start, send, ask, ports } = openWorld();
    await put(ports, "tenants: { berlin: { labels: { tenant_id: tokyo } } }");
    const receiver = await start({ tenantsFile: "/tenants.yaml" });
    await send([["m", 0, 1]], "berlin");
    await send([["m", 0, 1]], "tokyo");
    await put(ports, "tenants: { tokyo: { labels: { cluster: tokyo } }, berlin: { labels: { tenant_id: tokyo } } }");
    await ports.clock.advance(16_000);
    expect(await send([["m", 0, 1]], "tokyo")).toBe("204");
    expect((await ask()).series).toEqual([
      'm{cluster="tokyo", receive_replica="0"}',
      'm{receive_replica="0", tenant_id="tokyo"}',
    ]);
    await receiver.stop(0);
  });

  it("gives an open tenant its new labels as soon as no other has them", async () => {
    const { start, send, ask, ports } = openWorld();
    await put(ports, "");
    const receiver = await start({ tenantsFile: "/tenants.yaml" });
    await send([["m", 0, 1]], "berlin");
    await send([["m", 0, 1]], "tokyo");
    await put(ports, "tenants: { berlin: { labels: { tenant_id: tokyo } }, tokyo: { labels: { cluster: tokyo } } }");
    await ports.clock.advance(32_000);
    expect((await ask()).series).toEqual([
      'm{cluster="tokyo", receive_replica="0"}',
      'm{receive_replica="0", tenant_id="tokyo"}',
    ]);
    await receiver.stop(0);
  });

  for (const [rule, tenants] of [
    ["two", ["berlin", "tokyo"]],
    ["three", ["berlin", "oslo", "tokyo"]],
  ] as const) {
    it(`${rule} tenants pass their labels on to each other, and none has another's samples`, async () => {
      const { start, send, ask, ports } = openWorld();
      await put(ports, "");
      const receiver = await start({ tenantsFile: "/tenants.yaml" });
      for (const name of tenants) await send([[`of_${name}`, 0, 1]], name);
      const passed = tenants.map(
        (name, i) => `${name}: { labels: { tenant_id: ${tenants[(i + 1) % tenants.length]} } }`,
      );
      await put(ports, `tenants: { ${passed.join(", ")} }`);
      await ports.clock.advance(16_000);
      const expected = tenants.map(
        (name, i) => `of_${name}{receive_replica="0", tenant_id="${tenants[(i + 1) % tenants.length]}"}`,
      );
      expect([...(await ask()).series].sort()).toEqual(expected.sort());
      for (const name of tenants) expect(await send([[`of_${name}`, 15_000, 1]], name)).toBe("204");
      await receiver.stop(0);
    });
  }

  it("cannot make two tenants one stream of blocks where both are new", async () => {
    const { start, send, ports } = openWorld();
    await put(ports, "tenants: { berlin: { labels: { tenant_id: tokyo } } }");
    const receiver = await start({ tenantsFile: "/tenants.yaml" });
    const answers = await Promise.all(["berlin", "tokyo"].map((tenant) => send([["m", 0, 1]], tenant)));
    expect(answers).toEqual(["204", "500 tenant tokyo: its labels are those of tenant berlin"]);
    await receiver.stop(0);
  });

  it("bounds what one tenant sends, and no other", async () => {
    const { start, send, ports } = openWorld();
    await put(ports, "tenants: { berlin: { limits: { request_bytes: 5 } } }");
    const receiver = await start({ tenantsFile: "/tenants.yaml" });
    expect(await send([["m", 0, 1]], "berlin")).toMatch(/^413 a request of \d+ bytes; at most 5 are taken$/);
    expect(await send([["m", 0, 1]], "tokyo")).toBe("204");
    await receiver.stop(0);
  });

  it("bounds how many requests of a tenant are under way: some wait, the others are told to come back", async () => {
    const { start, send, ports } = openWorld();
    await put(ports, "tenants: { berlin: { limits: { concurrent_requests: 1, waiting_requests: 1 } } }");
    const receiver = await start({ tenantsFile: "/tenants.yaml" });
    await send([["m", 0, 1]], "berlin");
    const answers = await Promise.all([1, 2, 3].map((i) => send([["m", 15_000 * i, i]], "berlin")));
    expect(answers).toEqual(["204", "204", "429 more than 1 requests at once, and 1 wait"]);
    await receiver.stop(0);
  });

  it("that is wrong at the start is a failure that names the place", async () => {
    const { start, ports } = openWorld();
    await put(ports, "tenants: { a/b: {} }");
    await expect(start({ tenantsFile: "/tenants.yaml" })).rejects.toThrow(
      '/tenants.yaml: tenants: "a/b" is no name: letters, digits, - _ .',
    );
    await expect(start({ tenantsFile: "/nosuch.yaml" })).rejects.toThrow(/ENOENT.*nosuch/);
  });
});

describe("a receiver that cannot start leaves nothing open", () => {
  it("when an address is taken", async () => {
    const { start, ports } = openWorld();
    await ports.network.serveRpc("receiver:10901", new Map());
    await expect(start()).rejects.toThrow(/receiver cannot listen for StoreAPI: .*address already in use/);
    await ports.network.serveHttp("receiver:19291", async () => ({ status: 200, headers: {}, body: "" }));
    await expect(start({ grpcAddress: "receiver:1" })).rejects.toThrow(
      /receiver cannot listen for remote write: .*address already in use/,
    );
    const elsewhere = await start({ grpcAddress: "receiver:1", remoteWriteAddress: "receiver:2" });
    await elsewhere.stop(0);
  });

  it("when a tenant's folder is in use", async () => {
    const { start, send } = openWorld();
    const first = await start();
    await send([["m", 0, 1]], "berlin");
    await expect(start({ grpcAddress: "a:1", httpAddress: "a:2", remoteWriteAddress: "a:3" })).rejects.toThrow(
      "tenant berlin: /data/berlin is in use by another process",
    );
    await first.stop(0);
  });
});
