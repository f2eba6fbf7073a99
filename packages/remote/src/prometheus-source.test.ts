/** A real Prometheus as a source of series; skipped where it is not installed. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { defaultHead, openHead } from "@pleiad/head";
import {
  type ChunkEncoding,
  collectSeries,
  emptyLabels,
  labelsFromRecord,
  plainSelect,
  withoutLabels,
  type LabelsRequest,
} from "@pleiad/model";
import { acceptanceSeries, runSeriesSourceAcceptance, type AcceptanceSeries } from "@pleiad/model/acceptance";
import { HttpError, type Network } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPrometheusApi, type PrometheusApi } from "./prometheus-api.ts";
import { createPrometheusClient, type PrometheusClient } from "./prometheus-client.ts";
import { createPrometheusSource } from "./prometheus-source.ts";
import { createReadClient, defaultReadClient, type ReadClientOptions } from "./read-client.ts";

const port = 33_010;
const externalLabels = labelsFromRecord({ replica: "0" });
const hasPrometheus = isInstalled("prometheus");

function isInstalled(program: string): boolean {
  const found = spawnSync(program, ["--version"]).status === 0;
  if (!found && process.env["PLEIAD_REQUIRE_PEERS"] === "1") throw new Error(`${program} is required here and missing`);
  return found;
}

/** The files of a head that has the series, without their replica label, which is an external one. */
async function headFiles(all: readonly AcceptanceSeries[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const ports = testPorts();
  const opened = await openHead(
    { ...defaultHead, directory: "/data", externalLabels: emptyLabels, intern: (text) => text },
    ports,
  );
  if (!opened.ok) throw new Error(opened.failure.kind);
  const times = new Set(all.flatMap(({ samples }) => samples.map(([t]) => t)));
  for (const time of [...times].sort((a, b) => a - b)) {
    const appender = opened.value.appender();
    for (const { labels, samples } of all) {
      const ref = appender.series(withoutLabels(labels, new Set(["replica"])));
      if (typeof ref !== "number") throw new Error(ref.kind);
      for (const [t, value] of samples) {
        if (t === time) expect(appender.append(ref, t, value)).toBe("appended");
      }
    }
    expect((await appender.commit()).ok).toBe(true);
  }
  await opened.value.close();
  return ports.files.contents;
}

/** The network of this machine, as far as a client needs it. */
const network: Pick<Network, "fetchHttp"> = {
  async fetchHttp(url, { headers = {}, body, signal, bodyBytesMax }) {
    try {
      const posted = body === undefined ? {} : { method: "POST", body: typeof body === "string" ? body : body.slice() };
      const answer = await fetch(url, { headers, signal, ...posted });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (bytes.length > bodyBytesMax) throw new HttpError("too-large", "too large");
      return { status: answer.status, headers: new Map(answer.headers), body: bytes };
    } catch (error) {
      if (error instanceof HttpError) throw error;
      throw new HttpError(signal.aborted ? "canceled" : "unreachable", String(error));
    }
  },
};

describe("a real Prometheus", { skip: !hasPrometheus }, () => {
  const folder = mkdtempSync(join(tmpdir(), "pleiad-remote-"));
  const { signal } = new AbortController();
  const clock = testPorts().clock;
  const client: PrometheusClient = createPrometheusClient(
    { url: `http://127.0.0.1:${port}`, name: "prometheus", timeoutMs: 30_000 },
    { network: { ...testPorts().network, ...network }, clock },
  );
  const api: PrometheusApi = createPrometheusApi(client, 1 << 20);
  const sourceWith = (changes: Partial<ReadClientOptions> = {}, minTimeMs = -Infinity) =>
    createPrometheusSource(api, createReadClient(client, { ...defaultReadClient, ...changes }), {
      name: "prometheus",
      externalLabels: () => externalLabels,
      minTimeMs,
    });
  let child: ChildProcess | undefined;

  beforeAll(async () => {
    for (const [path, bytes] of await headFiles(acceptanceSeries)) {
      const target = join(folder, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
    const config = join(folder, "prometheus.yml");
    writeFileSync(config, "global:\n  external_labels:\n    replica: 0\n");
    child = spawn(
      "prometheus",
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        "--storage.tsdb.retention.time=100y",
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: "ignore" },
    );
    for (let i = 0; i < 200 && !(await api.ready(signal)).ok; i++) await sleep(100);
  });
  afterAll(async () => {
    child?.kill("SIGTERM");
    await new Promise((resolve) => child?.once("close", resolve));
    rmSync(folder, { recursive: true });
  });

  for (const [form, accepted] of [
    ["chunks", ["chunks", "samples"]],
    ["samples", ["samples"]],
  ] as const) {
    runSeriesSourceAcceptance(`remote read of ${form}`, async () => ({
      source: sourceWith({ accepted }),
      decode(encoding, data) {
        const columns = createSampleColumns(1024);
        const failure = decodeChunk(encoding as ChunkEncoding, data, columns);
        if (failure !== undefined) throw new Error(failure.kind);
        return Array.from({ length: columns.count }, (_, i) => [columns.timestampsMs[i] ?? 0, columns.values[i] ?? 0]);
      },
    }));
  }

  it("tells its external labels, which are texts, its flags and its version", async () => {
    expect(await api.externalLabels(signal)).toEqual({ ok: true, value: externalLabels });
    expect(await api.flags(signal)).toEqual({
      ok: true,
      value: { minBlockDuration: "2h", maxBlockDuration: "31d", retention: "100y", storagePath: join(folder, "data") },
    });
    expect(await api.version(signal)).toEqual({ ok: true, value: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });

  it("tells the time of its oldest sample", async () => {
    expect(await api.oldestSampleMs(signal)).toEqual({ ok: true, value: 0 });
  });

  const up = { type: "=", name: "__name__", value: "up" } as const;
  const labelsRequest: LabelsRequest = {
    minTimeMs: plainSelect.minTimeMs,
    maxTimeMs: plainSelect.maxTimeMs,
    matchers: [],
    withoutLabels: [],
    onFailure: "warn",
    limit: 0,
  };
  const count = async (
    matchers: readonly (typeof up | { type: "=" | "!="; name: string; value: string })[],
    minTimeMs?: number,
  ) => {
    const cursor = sourceWith({}, minTimeMs).select({ ...plainSelect, matchers }, signal);
    const { series, failure } = await collectSeries(cursor);
    expect(failure).toBeUndefined();
    return series.length;
  };

  for (const [rule, matchers, expected] of [
    ["no matcher selects all", [], 10],
    ["an external label that matches asks for all", [{ type: "=", name: "replica", value: "0" }], 10],
    ["an external label that does not match asks for nothing", [up, { type: "=", name: "replica", value: "1" }], 0],
    ["a label that nothing has, absent, asks for all", [{ type: "=", name: "nosuch", value: "" }], 10],
  ] as const) {
    it(rule, async () => expect(await count(matchers)).toBe(expected));
  }

  it("gives nothing that is another's: what lies before its own time", async () => {
    expect(await count([], 1_000_000)).toBe(1);
    expect(await count([], 9e12)).toBe(0);
  });

  it("lists the values of an external label where there are series, and only then", async () => {
    const values = async (matchers: LabelsRequest["matchers"]) => {
      const answer = await sourceWith().labelValues("replica", { ...labelsRequest, matchers }, signal);
      return answer.ok ? answer.value.values : answer.failure.kind;
    };
    expect(await values([])).toEqual(["0"]);
    expect(await values([up])).toEqual(["0"]);
    expect(await values([{ ...up, value: "nosuch" }])).toEqual([]);
    expect(await values([{ type: "=", name: "nosuch", value: "" }])).toEqual(["0"]);
  });

  it("an answer over its bound fails, and says the bound", async () => {
    const { failure, series } = await collectSeries(sourceWith({ answerBytesMax: 1000 }).select(plainSelect, signal));
    expect(failure).toEqual({ kind: "limit", source: "prometheus", of: "bytes", max: 1000 });
    expect(series).toEqual([]);
  });

  it("one that is gone is unavailable", async () => {
    const gone = createPrometheusClient(
      { url: `http://127.0.0.1:${port + 1}`, name: "gone", timeoutMs: 30_000 },
      { network: { ...testPorts().network, ...network }, clock },
    );
    const source = createPrometheusSource(createPrometheusApi(gone, 1000), createReadClient(gone, defaultReadClient), {
      name: "gone",
      externalLabels: () => externalLabels,
      minTimeMs: -Infinity,
    });
    const { failure } = await collectSeries(source.select(plainSelect, signal));
    expect(failure).toMatchObject({ kind: "unavailable", source: "gone" });
    expect(await source.labelNames(labelsRequest, signal)).toMatchObject({
      ok: false,
      failure: { kind: "unavailable" },
    });
  });
});
