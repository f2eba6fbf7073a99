/** The acceptance suites on what they are for: real disk and real sockets, the packages wired as the roles wire them. */
import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { defaultHead, openHead } from "@pleiad/head";
import { emptyLabels } from "@pleiad/model";
import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { createNodePorts, nodeClock, nodeFiles } from "@pleiad/node-ports";
import { createFileBucket } from "@pleiad/objstore";
import { runBucketAcceptance } from "@pleiad/ports/acceptance";
import { silentObservations } from "@pleiad/ports/testing";
import { createFanout, defaultFanout, storeHandlers } from "@pleiad/storeapi";
import { temporaryFolder } from "./twin-under-test.ts";

runBucketAcceptance("files on disk", async () => {
  const folder = temporaryFolder();
  return {
    bucket: createFileBucket(`${folder.path}/bucket`, nodeFiles(), nodeClock()),
    close: async () => folder.remove(),
  };
});

runSeriesSourceAcceptance("a head on disk, behind gRPC and a fan-out,", async (series) => {
  const folder = temporaryFolder();
  const ports = createNodePorts({ observations: silentObservations() });
  const opened = await openHead(
    { ...defaultHead, directory: `${folder.path}/head`, externalLabels: emptyLabels, intern: (text) => text },
    ports,
  );
  if (!opened.ok) throw new Error(opened.failure.kind);
  const head = opened.value;
  const appender = head.appender();
  const samples = series.flatMap(({ labels, samples: own }) => own.map(([t, v]) => ({ labels, t, v })));
  for (const { labels, t, v } of samples.sort((a, b) => a.t - b.t)) {
    const ref = appender.series(labels);
    if (typeof ref === "object") throw new Error(ref.kind);
    const outcome = appender.append(ref, t, v);
    if (outcome !== "appended") throw new Error(outcome);
  }
  await appender.commit();
  const listener = await ports.network.serveRpc(
    "127.0.0.1:0",
    storeHandlers(head, () => ({
      componentType: "sidecar",
      labelSets: [],
      minTimeMs: 0,
      maxTimeMs: Number.MAX_SAFE_INTEGER,
      tsdbInfos: [],
    })),
  );
  const fanout = createFanout(
    { ...defaultFanout, endpoints: [{ address: listener.address, name: "head", expects: [] }] },
    ports,
  );
  await fanout.refresh();
  return {
    source: fanout,
    decode: (encoding, data) => {
      const columns = createSampleColumns(120);
      const failure = encoding === 1 ? decodeChunk(1, data, columns) : { kind: `encoding ${encoding}` };
      if (failure !== undefined) throw new Error(failure.kind);
      return Array.from(
        { length: columns.count },
        (_, i) => [columns.timestampsMs[i], columns.values[i]] as [number, number],
      );
    },
    close: async () => {
      await fanout.stop();
      await listener.close(0);
      await head.close();
      folder.remove();
    },
  };
});
