import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { referenceFleet } from "./reference-fleet.ts";
import { sendSampleRows } from "./storage/remote-write.ts";
import { writeSampleRows } from "./storage/sample-rows.ts";

describe("samples sent by remote write", () => {
  const folder = mkdtempSync(join(tmpdir(), "pleiad-rows-test-"));
  let samples = NaN;

  beforeAll(() => {
    samples = writeSampleRows(folder, { ...referenceFleet, clusters: 4, samples: 40 });
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Sends all to a server; the number of requests that it answered. */
  async function sendTo(listener: (answered: () => void) => RequestListener) {
    let answered = 0;
    const server = createServer(listener(() => answered++));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const stats = await sendSampleRows(folder, (server.address() as AddressInfo).port, 2);
      return { ...stats, answered };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it("come whole where the server closes connections that were used before", async () => {
    const used = new WeakSet<Socket>();
    const stats = await sendTo((answered) => (request, answer) => {
      if (used.has(request.socket)) {
        request.socket.destroy();
        return;
      }
      used.add(request.socket);
      request.resume().on("end", () => {
        answered();
        answer.writeHead(204).end();
      });
    });
    // Four requests of up to twelve scrapes a cluster.
    expect(stats).toEqual({ samples, requests: 16, answered: 16 });
  });

  it("fail where the server closes every connection", async () => {
    await expect(sendTo(() => (request) => request.socket.destroy())).rejects.toThrow("remote write: ");
  });

  it("fail with the answer of a server that refuses them", async () => {
    const refusing: RequestListener = (request, answer) => {
      request.resume().on("end", () => answer.writeHead(400).end("out of bounds"));
    };
    await expect(sendTo(() => refusing)).rejects.toThrow("remote write: 400 out of bounds");
  });
});
