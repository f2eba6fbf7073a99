/** HTTP over TLS: who is let in, and certificates that change. Those of `testdata/tls` are good until 2120. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { request, type RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import type { HttpRequest, ServerTls } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { afterEach, describe, expect, it } from "vitest";
import { createNodePorts } from "./node-ports.ts";

const lines: string[] = [];
const observations = {
  ...silentObservations(),
  log: (level: string, message: string) => void lines.push(`${level} ${message}`),
};
const { network } = createNodePorts({ observations });
const path = (name: string) => fileURLToPath(new URL(`../testdata/tls/${name}`, import.meta.url));
const pem = (name: string) => readFileSync(path(name));
const tls: ServerTls = { certFile: path("server.pem"), keyFile: path("server.key"), minVersion: "1.3" };

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
  lines.length = 0;
});

const answer = async ({ method, body }: HttpRequest) => ({
  status: 200,
  headers: {},
  body: `${method} ${new TextDecoder().decode(body)}`,
});

async function serve(options: ServerTls): Promise<string> {
  const listener = await network.serveHttp("127.0.0.1:0", answer, { tls: options });
  closers.push(() => listener.close(0));
  return listener.address;
}

/** The answer and the serial number of the certificate that was shown, or the failure. */
async function post(address: string, options: RequestOptions): Promise<string> {
  const [host, port] = address.split(":");
  return await new Promise((resolve) => {
    const call = request(
      { host, port, method: "POST", agent: false, ca: pem("authority.pem"), ...options },
      (response) => {
        const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate();
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve(`${response.statusCode} ${text} ${serialNumber}`));
      },
    );
    call.on("error", (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    call.end("up 1");
  });
}

describe("an HTTP listener with a certificate", () => {
  it("answers who trusts its authority", async () => {
    expect(await post(await serve(tls), {})).toMatch(/^200 POST up 1 [0-9A-F]+$/);
  });

  it("is not believed by who does not", async () => {
    expect(await post(await serve(tls), { ca: pem("stranger.pem") })).toMatch(/^(UNABLE|SELF|DEPTH)/);
  });

  it("does not speak an older version than it is told to", async () => {
    const address = await serve(tls);
    expect(await post(address, { maxVersion: "TLSv1.2" })).toMatch(/^(ERR_SSL|ECONNRESET|EPROTO)/);
    expect(lines).toContain("warn a TLS handshake failed");
    expect(await post(await serve({ ...tls, minVersion: "1.2" }), { maxVersion: "TLSv1.2" })).toMatch(/^200 /);
  });

  it("lets in only who shows a certificate that its authority signed, where it is told to", async () => {
    const address = await serve({ ...tls, clientCaFile: path("authority.pem") });
    const shown = (name: string) => ({ cert: pem(`${name}.pem`), key: pem(`${name}.key`) });
    expect(await post(address, shown("client"))).toMatch(/^200 /);
    expect(await post(address, {})).not.toMatch(/^200 /);
    expect(await post(address, shown("stranger-client"))).not.toMatch(/^200 /);
    expect(await post(address, shown("client"))).toMatch(/^200 /);
  });

  it("shows the next certificate once its files have changed, and the last one while they do not fit together", async () => {
    const folder = mkdtempSync(join(tmpdir(), "pleiad-tls-"));
    closers.push(() => rmSync(folder, { recursive: true }));
    const files = { certFile: join(folder, "tls.crt"), keyFile: join(folder, "tls.key") };
    const put = (from: string, to: string, second: number) => {
      copyFileSync(path(from), to);
      utimesSync(to, second, second);
    };
    put("server.pem", files.certFile, 1);
    put("server.key", files.keyFile, 1);
    const address = await serve({ ...files, minVersion: "1.3" });
    const first = await post(address, {});
    put("server-next.pem", files.certFile, 2);
    expect(await post(address, {})).toBe(first);
    put("server-next.key", files.keyFile, 2);
    const next = await post(address, {});
    expect(next).toMatch(/^200 /);
    expect(next).not.toBe(first);
  });

  it("does not start without its files, and names the one that is missing", async () => {
    await expect(serve({ ...tls, keyFile: "/nosuch.key" })).rejects.toThrow("certificate file /nosuch.key: ENOENT");
  });
});
