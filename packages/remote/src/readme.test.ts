import { readFileSync } from "node:fs";
import { defaultHead, openHead, type Head } from "@pleiad/head";
import { collectSeries, emptyLabels, labelsFromRecord, plainSelect } from "@pleiad/model";
import type { HttpRequest, Ports } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import {
  createPrometheusApi,
  createPrometheusClient,
  createPrometheusSource,
  createReadClient,
  createWriteReceiver,
  defaultReadClient,
  defaultWriteReceiver,
} from "./index.ts";
import { post, writeRequest } from "./testing.ts";

const readmeUrl = new URL("../README.md", import.meta.url);

async function example(ports: Ports, request: HttpRequest, head: Head) {
  const externalLabels = () => labelsFromRecord({ cluster: "berlin" });

  const receiver = createWriteReceiver(defaultWriteReceiver, ports.observations);
  const answer = await receiver.receive(request, head); // 204: the head's log has it

  const client = createPrometheusClient({ url: "http://prometheus:9090", name: "berlin", timeoutMs: 30_000 }, ports);
  const api = createPrometheusApi(client, 64 << 20); // external labels, flags, labels, series
  const reader = createReadClient(client, defaultReadClient); // chunks, or samples where there are none
  const source = createPrometheusSource(api, reader, { name: "berlin", externalLabels, minTimeMs: -Infinity });
  return { answer, source };
}

it("the example of the README works, and is this one", async () => {
  const ports = testPorts();
  const options = { ...defaultHead, directory: "/data", externalLabels: emptyLabels, intern: (text: string) => text };
  const head = await openHead(options, ports);
  if (!head.ok) throw new Error(head.failure.kind);
  const samples = [[ports.clock.wallMs(), 1]] as const;
  const request = post(writeRequest([{ labels: [["__name__", "up"]], samples }]));
  const { answer, source } = await example(ports, request, head.value);
  expect(answer.status).toBe(204);
  const { failure } = await collectSeries(source.select(plainSelect, new AbortController().signal));
  expect(failure).toMatchObject({ kind: "unavailable", source: "berlin" });
  const shown = /```ts\n(.*?)```/s.exec(readFileSync(readmeUrl, "utf8"))?.[1] ?? "";
  const text = readFileSync(new URL(import.meta.url), "utf8");
  expect(text).toContain(shown.trimEnd().replace(/^(?=.)/gm, "  "));
});
