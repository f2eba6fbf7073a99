import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planFleet, readFleet, type Plan } from "@pleiad/fleet";
import { manualClock, memoryNetwork, type MemoryNetwork } from "@pleiad/ports/testing";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { serveConsole } from "./console-server.ts";
import type { ConsoleState } from "./console-state.ts";

const built = mkdtempSync(join(tmpdir(), "pleiad-console-"));
mkdirSync(join(built, "assets"));
writeFileSync(join(built, "index.html"), "<title>Pleiad</title>");
writeFileSync(join(built, "assets/app-1a2b.js"), "run()");
afterAll(() => rmSync(built, { recursive: true, force: true }));

function laptopPlan(): Plan {
  const text = readFileSync(new URL("../../../fleets/laptop.yaml", import.meta.url), "utf8");
  const fleet = readFleet(text, "laptop.yaml");
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!plan.ok) throw new Error(JSON.stringify(plan.failure));
  return plan.value;
}

const plan = laptopPlan();
const consoleAddress = "127.0.0.1:19000";
const queriers = ["127.0.0.1:1", "127.0.0.1:2"] as const;
const clock = manualClock(1_700_000_000_000);

/** A querier that has seen every cluster but shop-03, whose newest sample is five seconds old. */
async function serveQuerier(network: MemoryNetwork, address: string): Promise<void> {
  const seen = plan.clusters.filter(({ name }) => name !== "shop-03");
  await network.serveHttp(address, async (request) => {
    const query = new URLSearchParams(request.query).get("query") ?? "";
    const value = query.startsWith("max") ? "1699999995" : "1";
    const result = seen.map(({ externalLabels: metric }) => ({ metric, value: [1_700_000_000, value] }));
    const warnings = ["clusters missing from the answer: shop-03"];
    const body = JSON.stringify({ status: "success", warnings, data: { resultType: "vector", result } });
    return { status: 200, headers: { "content-type": "application/json" }, body };
  });
}

describe("the console's server", () => {
  let network: MemoryNetwork;
  const ask = async (path: string, headers: Record<string, string> = {}, method: "GET" | "POST" = "GET") =>
    await network.fetchHttp(`http://${consoleAddress}${path}`, {
      method,
      headers,
      signal: new AbortController().signal,
      bodyBytesMax: 1 << 20,
    });
  const text = (body: Uint8Array) => new TextDecoder().decode(body);

  beforeEach(async () => {
    network = memoryNetwork();
    for (const address of queriers) await serveQuerier(network, address);
    await serveConsole(
      {
        address: consoleAddress,
        plan,
        apiUrls: queriers.map((address) => `http://${address}`),
        filesDirectory: built,
        renderMetrics: () => "x 1\n",
      },
      network,
      clock,
    );
  });

  for (const [rule, path, headers, status] of [
    ["the page", "/", {}, 200],
    ["what was built", "/assets/app-1a2b.js", {}, 200],
    ["nothing outside of it", "/../package.json", {}, 404],
    ["own metrics", "/metrics", {}, 200],
    ["a link to the page on another site", "/", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, 200],
    ["no question of a foreign page", "/api/v1/query?query=up", { origin: "https://evil.example" }, 403],
    ["no image of a foreign page", "/api/v1/query?query=up", { "sec-fetch-site": "cross-site" }, 403],
    ["no other host name", "/", { host: "evil.example" }, 421],
  ] as const) {
    it(`serves ${rule}: status ${status}`, async () => {
      expect((await ask(path, headers)).status).toBe(status);
    });
  }

  it("keeps a built asset for good, and the page not at all", async () => {
    expect((await ask("/assets/app-1a2b.js")).headers.get("cache-control")).toContain("immutable");
    expect((await ask("/")).headers.get("cache-control")).toBe("no-cache");
  });

  it("shows every cluster with the age of its newest sample, those unseen too", async () => {
    const state = JSON.parse(text((await ask("/console/state")).body)) as ConsoleState;
    expect(state.clusters).toHaveLength(12);
    expect(state.clusters.find(({ name }) => name === "shop-01")).toMatchObject({ ageMs: 5000, up: true });
    expect(state.clusters.find(({ name }) => name === "shop-03")).toMatchObject({ up: false });
    expect(state.clusters.find(({ name }) => name === "shop-03")?.ageMs).toBeUndefined();
    expect(state.warnings).toEqual(["clusters missing from the answer: shop-03"]);
  });

  it("tells a role that is down from one that does not run yet", async () => {
    const state = JSON.parse(text((await ask("/console/state")).body)) as ConsoleState;
    const states = new Map(state.nodes.flatMap((node) => node.roles).map((role) => [role.id, role.state]));
    expect(states.get("global-querier-0")).toBe("down");
    expect(states.get("ruler-0")).toBe("not-yet-running");
  });

  it("asks the other global querier when one is gone, and says so when both are", async () => {
    network.unplug(queriers[0]);
    expect((await ask("/api/v1/query?query=up")).status).toBe(200);
    network.unplug(queriers[1]);
    const answer = await ask("/api/v1/query?query=up");
    expect(answer.status).toBe(503);
    expect(JSON.parse(text(answer.body))).toMatchObject({ status: "error", errorType: "unavailable" });
  });
});
