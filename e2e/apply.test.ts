/** The commands that reach clusters, as processes over a kubectl whose clusters are a file. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fakeCluster, type FakeCluster, type FakeClusters } from "../apps/cli/src/fake-kubectl.fixtures.ts";
import { eventually, pleiad, processLives, root, temporaryFolder } from "./twin-under-test.ts";

const fake = join(root, "apps/cli/src/fake-kubectl.fixtures.ts");
const shipped = readFileSync(join(root, "fleets/laptop.yaml"), "utf8");

/** A fleet of one region with one app cluster, so that few processes are started. */
const small = shipped
  .replace(/^groups:\n(?: {2}.*\n)+/m, "groups:\n  shops: { clusters: shop-1, series: 10k }\n")
  .replace(/^regions:\n(?: {2}.*\n)+/m, "")
  .replace(/^clusterCount:.*\n/m, "");

const folder = temporaryFolder();
const fleet = join(folder.path, "fleet.yaml");
const deploy = join(folder.path, "deploy");
const state = join(folder.path, "clusters.json");
const kubectl = join(folder.path, "kubectl");
const common = [fleet, "-o", deploy, "--kubectl", kubectl];

beforeAll(async () => {
  writeFileSync(fleet, small);
  writeFileSync(kubectl, `#!/bin/sh\nFAKE_KUBECTL=${state} exec ${process.execPath} ${fake} "$@"\n`, { mode: 0o755 });
  await pleiad(["render", fleet, "-o", deploy, "--certificates", "built-in"]);
  await pleiad(["certs", fleet, "-o", deploy]);
});
afterAll(() => folder.remove());

/** Exit code, and what it said on both outputs. */
async function said(command: string, args: readonly string[]) {
  const { code, stdout, stderr } = await pleiad([command, ...common, ...args]);
  return { code, output: stdout + stderr };
}
const apply = async (...args: string[]) => await said("apply", args);
const diff = async (...args: string[]) => await said("diff", args);

/** Clusters with the Secrets that are the user's, as the folder's README lists them. */
function freshClusters(): { readonly monitoring: FakeCluster; readonly "shop-1": FakeCluster } {
  const [, monitoring = "", app = ""] = readFileSync(join(deploy, "README.md"), "utf8").split("\nSecrets of ");
  const secretsIn = (text: string) =>
    [...text.matchAll(/^\| (\S+) \| (\S+) \| ([^|]+) \| you \|/gm)].map(
      ([, namespace = "", name = "", keys = ""]) => [namespace, name, keys.split(", ")] as const,
    );
  return {
    monitoring: fakeCluster("uid-monitoring", secretsIn(monitoring)),
    "shop-1": fakeCluster("uid-shop-1", secretsIn(app)),
  };
}

const clusters = () => JSON.parse(readFileSync(state, "utf8")) as ReturnType<typeof freshClusters>;
const use = (all: FakeClusters) => writeFileSync(state, JSON.stringify(all));
const onlyRegion = () => readdirSync(deploy).find((name) => name.startsWith("regional-")) ?? "";

describe("pleiad apply", () => {
  it("brings all to its clusters; after that nothing differs but what somebody changes", async () => {
    use(freshClusters());
    const { code, output } = await apply();
    expect(output).toMatch(
      /^s3 \(monitoring\): .*ready\nglobal .*\nregional-.*\napp-clusters\/shop-1 \(shop-1\): .*ready\n$/,
    );
    expect(code).toBe(0);
    expect(clusters()["shop-1"].objects["v1 Secret monitoring/prometheus-grpc-tls"]).toBeDefined();
    expect(await diff("--live")).toEqual({ code: 0, output: "4 folders: nothing differs.\n" });

    const changed = clusters();
    const querier = `apps/v1 Deployment monitoring/regional-querier-${onlyRegion().slice("regional-".length)}`;
    const object = changed.monitoring.objects[querier] as unknown as { spec: { replicas: number } };
    object.spec.replicas = 7;
    use(changed);
    expect(await diff("--live")).toEqual({ code: 3, output: `# ${onlyRegion()}, in monitoring\n~ ${querier}\n` });
  });

  it("ends with 1 where a folder fails, says how to go on, and goes on from there", async () => {
    const prometheus = "monitoring.coreos.com/v1 Prometheus monitoring/prometheus";
    const faulty = freshClusters();
    faulty["shop-1"].faults[prometheus] = "refused";
    use(faulty);
    const { code, output } = await apply();
    expect(code).toBe(1);
    expect(output).toContain("Prometheus monitoring/prometheus is invalid");
    expect(output).toContain("Failed: 3 of 4 folders are done. Not done: app-clusters/shop-1.");
    expect(output).toContain(`pleiad apply ${fleet} -o ${deploy} --resume`);
    const healed = clusters();
    delete healed["shop-1"].faults[prometheus];
    use(healed);
    const again = await apply("--resume");
    expect(again.output.match(/as it was applied before/g)).toHaveLength(3);
    expect(again.code).toBe(0);
  });

  it("asked to end, ends its kubectl, and says where it stood", async () => {
    const region = onlyRegion();
    const hanging = freshClusters();
    hanging.monitoring.faults[
      `v1 ConfigMap monitoring/endpoints-regional-querier-${region.slice("regional-".length)}`
    ] = "hangs";
    use(hanging);
    const child = spawn(process.execPath, [join(root, "apps/cli/src/main.ts"), "apply", ...common]);
    let output = "";
    child.stdout.on("data", (part: Buffer) => (output += part.toString()));
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    await eventually("kubectl hangs", 300_000, async () => (existsSync(`${state}.hanging`) ? true : undefined));
    child.kill("SIGINT");
    expect(await ended).toBe(1);
    expect(output).toContain(`Stopped: 2 of 4 folders are done. Not done: ${region}, app-clusters/shop-1.`);
    expect(processLives(Number(readFileSync(`${state}.hanging`, "utf8")))).toBe(false);
  });

  it("tells what it once applied and what is no longer rendered, as long as it is there", async () => {
    use(freshClusters());
    await apply("--only", "app-clusters");
    const journal = join(deploy, ".pleiad-applied/folders.json");
    const gone = "v1 ConfigMap monitoring/old";
    const kept = JSON.parse(readFileSync(journal, "utf8")) as { folders: Record<string, { objects: string[] }> };
    kept.folders["app-clusters/shop-1"]?.objects.push(gone);
    writeFileSync(journal, JSON.stringify(kept));
    const all = clusters();
    all["shop-1"].objects[gone] = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "old", namespace: "monitoring" },
    };
    use(all);
    expect((await apply("--only", "app-clusters/shop-1/")).output).toContain(
      `No longer rendered, and still in shop-1: delete what you do not want to keep.\n  ${gone}\n`,
    );
    delete all["shop-1"].objects[gone];
    use(all);
    expect((await apply("--only", "app-clusters")).output).not.toContain(gone);
  });

  it("changes nothing where something is wrong before it begins", async () => {
    const { monitoring, "shop-1": shop } = freshClusters();
    const both = { monitoring, "shop-1": shop };
    const same = { monitoring, "shop-1": { ...shop, uid: monitoring.uid } };
    const cases: readonly [what: string, FakeClusters, args: readonly string[], code: number, message: RegExp][] = [
      ["a context is not there", { monitoring }, [], 1, /shop-1 \(context shop-1\): .*not exist\nNothing was changed/],
      ["two contexts are one cluster", same, [], 1, /the monitoring cluster, shop-1: one and the same/],
      ["a name is no folder", both, ["--only", "nothing"], 2, /neither a rendered folder nor a wave: nothing/],
      ["two clusters are given one context", both, ["--context", "shop-1"], 2, /would both be the context shop-1/],
      ["a cluster is not of the fleet", both, ["--context-of", "shop-9=x"], 2, /no cluster shop-9/],
    ];
    for (const [what, before, args, code, message] of cases) {
      use(before);
      const text = readFileSync(state, "utf8");
      const ended = await apply(...args);
      expect(ended.output, what).toMatch(message);
      expect(ended.code, what).toBe(code);
      expect(readFileSync(state, "utf8"), what).toBe(text);
    }
  });

  it("refuses a folder that is not what the fleet file says", async () => {
    const path = join(deploy, "images.txt");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, `${text}by hand\n`);
    const { code, output } = await apply("--dry-run", "client");
    writeFileSync(path, text);
    expect(output).toMatch(/1 files are not what the fleet file says/);
    expect(code).toBe(3);
  });

  it("says what would be applied where, asking nobody", async () => {
    const { code, output } = await apply("--dry-run", "client", "--context-template", "prod-${cluster}");
    expect(output).toMatch(
      /^storage: s3 to the current context: 1 Namespace.*\nglobal: .*\nregional: .*\napp-clusters: app-clusters\/shop-1 to prod-shop-1: .*\n$/,
    );
    expect(code).toBe(0);
  });
});
