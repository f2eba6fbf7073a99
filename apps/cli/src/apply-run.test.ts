/** The order in which clusters are changed, and what becomes of it when one of them fails. */
import { manualClock } from "@pleiad/ports/testing";
import { planFleet, readFleet } from "@pleiad/fleet";
import { applySteps, defaultRenderSettings, deploymentOf, renderFleet, requiredSecrets } from "@pleiad/manifests";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { AppliedFolder } from "./applied-journal.ts";
import { runApply, type ApplyRunOptions, type ApplyTarget, type StepEnd } from "./apply-run.ts";
import { fakeCluster, fakeKubectl, type FakeClusters, type FakeFault } from "./fake-kubectl.fixtures.ts";

function laptopSteps() {
  const text = readFileSync(new URL("../../../fleets/laptop.yaml", import.meta.url), "utf8");
  const fleet = readFleet(text, "laptop.yaml");
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!fleet.ok || !plan.ok) throw new Error("it does not plan");
  const tree = renderFleet(fleet.value, plan.value, defaultRenderSettings);
  const deployment = deploymentOf(fleet.value, plan.value, defaultRenderSettings);
  if (!tree.ok || !deployment.ok) throw new Error("it does not render");
  const secrets = requiredSecrets(deployment.value);
  return { steps: applySteps(tree.value, secrets), secrets };
}

const { steps, secrets } = laptopSteps();
const folders = steps.map(({ folder }) => folder);
const clusterNames = steps.flatMap(({ cluster }) => cluster ?? []);

/** Every cluster of the fleet, with the Secrets that must be there. */
function allClusters(): FakeClusters {
  return Object.fromEntries(
    [undefined, ...clusterNames].map((name) => [
      name ?? "monitoring",
      fakeCluster(
        `uid-${name}`,
        secrets.filter(({ cluster }) => cluster === name).map((one) => [one.namespace, one.name, one.keys]),
      ),
    ]),
  );
}

const certificates =
  "apiVersion: v1\nkind: Secret\nmetadata: { name: keys, namespace: monitoring }\nstringData: { tls.key: very-secret-key }\n";
const targets = steps.map((step): ApplyTarget => ({
  step,
  context: step.cluster ?? "monitoring",
  clusterUid: `uid-${step.cluster}`,
  secretText: step.folder === "global" ? certificates : undefined,
}));

const options: ApplyRunOptions = {
  fieldManager: "pleiad",
  forceConflicts: false,
  isDryRun: false,
  parallel: 3,
  readyTimeoutMs: 60_000,
  pollMs: 2000,
  resumeFrom: new Map(),
};

interface Run {
  readonly ends: readonly (readonly [folder: string, end: StepEnd])[];
  readonly lines: readonly string[];
  readonly asked: readonly string[];
  readonly journal: ReadonlyMap<string, AppliedFolder>;
}

async function run(
  clusters: FakeClusters,
  changes: Partial<ApplyRunOptions> = {},
  stop = new AbortController(),
): Promise<Run> {
  const clock = manualClock();
  const lines: string[] = [];
  const asked: string[] = [];
  const journal = new Map<string, AppliedFolder>();
  const world = {
    kubectl: fakeKubectl(clusters, asked),
    clock,
    tell: (line: string) => lines.push(line),
    remember: (folder: string, applied: AppliedFolder) => journal.set(folder, applied),
  };
  let isOver = false;
  const running = runApply(targets, { ...options, ...changes }, world, stop.signal).finally(() => (isOver = true));
  while (!isOver) await clock.advance(1000);
  const { ends } = await running;
  return { ends: ends.map(({ target, end }) => [target.step.folder, end]), lines, asked, journal };
}

function plant(clusters: FakeClusters, context: string, key: string, fault: FakeFault): void {
  const cluster = clusters[context];
  if (cluster === undefined) throw new Error(`no cluster ${context}`);
  cluster.faults[key] = fault;
}

const kindsOf = ({ ends }: Run) => Map.groupBy(ends, ([, { kind }]) => kind);
const foldersOf = (run: Run, kind: StepEnd["kind"]) => (kindsOf(run).get(kind) ?? []).map(([folder]) => folder);
const whyOf = ({ ends }: Run) => ends.flatMap(([, end]) => (end.kind === "failed" ? [end.why] : [])).join("\n");
const querier = "apps/v1 Deployment monitoring/regional-querier-east";

describe("a deployment", () => {
  it("is applied storage first, then what is global, regions, and app clusters, each object of it", async () => {
    const clusters = allClusters();
    const done = await run(clusters);
    expect(foldersOf(done, "applied")).toEqual(folders);
    expect(folders.slice(0, 5)).toEqual(["s3", "global", "regional-east", "regional-west", "app-clusters/office-1"]);
    const order = done.asked.filter((one) => one.endsWith(" apply")).map((one) => one.split(" ")[0]);
    expect(order.lastIndexOf("monitoring")).toBeLessThan(order.findIndex((one) => one !== "monitoring"));
    for (const { step, context } of targets) {
      for (const { kind, metadata } of [...step.foundation, ...step.objects]) {
        const there = Object.values(clusters[context]?.objects ?? {}).some(
          (one) =>
            one.kind === kind && one.metadata.name === metadata?.name && one.metadata.namespace === metadata?.namespace,
        );
        expect(there, `${kind} ${metadata?.name} in ${context}`).toBe(true);
      }
    }
    expect(done.lines[1]).toMatch(/^global \(monitoring\): \d+ objects applied, ready$/);
  });

  it("stops at the first failure: nothing of a later wave is touched", async () => {
    const clusters = allClusters();
    plant(clusters, "monitoring", querier, "refused");
    const done = await run(clusters);
    expect(foldersOf(done, "applied")).toEqual(["s3", "global"]);
    expect(foldersOf(done, "failed")).toEqual(["regional-east"]);
    expect(foldersOf(done, "not-begun")).toEqual(folders.slice(3));
    expect(whyOf(done)).toContain(`${querier} is invalid`);
    expect(done.asked.some((one) => one.startsWith("office-1"))).toBe(false);
  });

  it("says what is not ready when time is over, and what it lacks", async () => {
    const clusters = allClusters();
    plant(clusters, "monitoring", querier, "never-ready");
    const done = await run(clusters);
    expect(whyOf(done)).toBe(
      "not ready after 60 s:\n  deployment monitoring/regional-querier-east: 1 of 2 replicas are available",
    );
    expect(done.asked.filter((one) => one === "monitoring get").length).toBeGreaterThan(25);
  });

  it("waits no longer where waiting changes nothing", async () => {
    const clusters = allClusters();
    plant(clusters, "monitoring", querier, "fails");
    const done = await run(clusters);
    expect(whyOf(done)).toMatch(/^deployment monitoring\/regional-querier-east: it is told: ProgressDeadlineExceeded$/);
  });

  it("in app clusters goes on side by side; one that fails lets no other begin", async () => {
    const clusters = allClusters();
    plant(clusters, "office-2", "monitoring.coreos.com/v1 Prometheus monitoring/prometheus", "refused");
    plant(clusters, "office-3", "monitoring.coreos.com/v1 Prometheus monitoring/prometheus", "never-ready");
    const done = await run(clusters);
    expect(foldersOf(done, "failed")).toEqual(["app-clusters/office-2"]);
    expect(foldersOf(done, "not-waited-for")).toContain("app-clusters/office-3");
    expect([...foldersOf(done, "not-waited-for"), ...foldersOf(done, "applied").slice(4)]).toHaveLength(2);
    expect(foldersOf(done, "not-begun")).toHaveLength(clusterNames.length - 3);
  });

  it("wants the Secrets that it names, by key, and tells all that are missing before it applies what reads them", async () => {
    const clusters = allClusters();
    delete clusters["monitoring"]?.objects["v1 Secret monitoring/grafana"];
    const storage = clusters["monitoring"]?.objects["v1 Secret monitoring/object-storage"] as unknown as {
      data: object;
    };
    storage.data = { "objstore.yaml": "eA==" };
    const done = await run(clusters);
    expect(foldersOf(done, "failed")).toEqual(["global"]);
    expect(whyOf(done)).toMatch(/^Secrets that must be there first are not:\n {2}/);
    expect(whyOf(done)).toContain("monitoring/object-storage has no key objstore.yml");
    expect(whyOf(done)).toContain("monitoring/grafana (");
    expect(clusters["monitoring"]?.objects["apps/v1 StatefulSet monitoring/grafana"]).toBeUndefined();
  });

  it("shows no secret, even where the API server quotes it", async () => {
    const clusters = allClusters();
    plant(clusters, "monitoring", "v1 Secret monitoring/keys", "refused");
    const done = await run(clusters);
    expect(whyOf(done)).toContain("v1 Secret monitoring/keys is invalid");
    expect(whyOf(done)).toContain("(secret)");
    expect(JSON.stringify([done.ends, done.lines, [...done.journal]].map((one) => one))).not.toContain(
      '"very-secret-key"',
    );
    expect(whyOf(done)).not.toContain("very-secret-key");
  });

  it("leaves fields of others alone, unless told to take them", async () => {
    const clusters = allClusters();
    plant(clusters, "monitoring", querier, "conflict");
    expect(whyOf(await run(clusters))).toContain("conflict");
    delete clusters["monitoring"]?.faults[querier];
    expect(foldersOf(await run(clusters, { forceConflicts: true }), "applied")).toEqual(folders);
  });
});

describe("a run that is resumed", () => {
  it("leaves out what is as it was applied, and nothing else", async () => {
    const clusters = allClusters();
    plant(clusters, "monitoring", querier, "refused");
    const first = await run(clusters);
    expect([...first.journal].map(([folder, { hash }]) => [folder, hash !== ""])).toEqual([
      ["s3", true],
      ["global", true],
      ["regional-east", false],
    ]);
    delete clusters["monitoring"]?.faults[querier];
    const second = await run(clusters, { resumeFrom: first.journal });
    expect(foldersOf(second, "unchanged")).toEqual(["s3", "global"]);
    expect(foldersOf(second, "applied")).toEqual(folders.slice(2));
  });

  it("applies again what was cut short since it was applied whole", async () => {
    const clusters = allClusters();
    const { journal } = await run(clusters);
    plant(clusters, "monitoring", querier, "refused");
    const cut = await run(clusters);
    delete clusters["monitoring"]?.faults[querier];
    const done = await run(clusters, { resumeFrom: new Map([...journal, ...cut.journal]) });
    expect(foldersOf(done, "applied")).toEqual(["regional-east"]);
  });

  it("applies again what went to another cluster of the same name", async () => {
    const clusters = allClusters();
    const { journal } = await run(clusters);
    const moved = new Map(journal).set("app-clusters/office-1", {
      ...(journal.get("app-clusters/office-1") as AppliedFolder),
      clusterUid: "another",
    });
    const done = await run(clusters, { resumeFrom: moved });
    expect(foldersOf(done, "applied")).toEqual(["app-clusters/office-1"]);
  });
});

describe("a run that is stopped", () => {
  it("ends its kubectl and says where it stood", async () => {
    const clusters = allClusters();
    plant(clusters, "monitoring", querier, "hangs");
    const stop = new AbortController();
    const running = run(clusters, {}, stop);
    setTimeout(() => stop.abort(new Error("stopped")), 300);
    const done = await running;
    expect(foldersOf(done, "stopped")).toEqual(["regional-east"]);
    expect(foldersOf(done, "not-begun")).toEqual(folders.slice(3));
  });
});

describe("a dry run", () => {
  it("changes nothing, and asks about all that can be asked about", async () => {
    const clusters = allClusters();
    const before = JSON.stringify(clusters);
    const done = await run(clusters, { isDryRun: true });
    expect(JSON.stringify(clusters)).toBe(before);
    expect(foldersOf(done, "applied")).toEqual(folders);
    expect(done.journal.size).toBe(0);
  });

  it("of a cluster without its namespaces tells what it cannot ask about, and which Secrets come first", async () => {
    const clusters = { ...allClusters(), "office-1": fakeCluster("uid-office-1") };
    const { lines } = await run(clusters, { isDryRun: true });
    const { objects } = steps.find(({ cluster }) => cluster === "office-1") ?? { objects: [] };
    const inNamespaces = objects.filter(({ metadata }) => metadata?.namespace !== undefined).length;
    expect(inNamespaces).toBeGreaterThan(3);
    expect(lines.filter((line) => line.startsWith("app-clusters/office-1:"))).toEqual([
      `app-clusters/office-1: ${inNamespaces} objects not asked about, as their namespace is not there yet`,
      expect.stringMatching(/must be there first: monitoring\/object-storage/),
      expect.stringMatching(/must be there first: cert-manager\/pleiad-ca/),
    ]);
  });
});
