/** All that components are rendered from, derived once. */
import { fail, ok, type Result } from "@pleiad/model";
import type { Fleet, FleetObjectStorage, Plan, RoleKind } from "@pleiad/fleet";
import { imagesOf, type Images } from "./images.ts";
import type { RenderSettings } from "./render-settings.ts";
import { catalogueOf, thanosVersions, type ThanosVersion } from "./thanos-command.ts";
import { workloadEdges, workloadsOf, type Workload, type WorkloadEdge } from "./workload.ts";

export interface Deployment {
  readonly fleet: Fleet;
  readonly plan: Plan;
  readonly settings: RenderSettings;
  readonly images: Images;
  readonly thanos: ThanosVersion; // whose flags are known; the image may be of a later patch
  readonly workloads: readonly Workload[];
  readonly edges: readonly WorkloadEdge[];
  readonly storage: FleetObjectStorage | undefined;
}

/** Why a plan cannot be rendered, for the one who wrote its fleet file. */
export interface RenderFailure {
  readonly message: string;
}

export function deploymentOf(fleet: Fleet, plan: Plan, settings: RenderSettings): Result<Deployment, RenderFailure> {
  const { versions } = plan;
  const thanos = catalogueOf(versions.thanos);
  if (thanos === undefined) {
    return fail({
      message: `Thanos ${versions.thanos} cannot be rendered: flags are known from ${thanosVersions[0]} on`,
    });
  }
  const all = workloadsOf(plan);
  const workloads = all.filter(({ kind }) => isRendered(kind, fleet.objectStorage));
  const left = new Set(all.filter((one) => !workloads.includes(one)).map(({ name }) => name));
  return ok({
    fleet,
    plan,
    settings,
    images: imagesOf(versions, settings.imageMirror),
    thanos,
    workloads,
    edges: workloadEdges(plan).filter(({ from, to }) => !left.has(from) && !left.has(to)),
    storage: fleet.objectStorage,
  });
}

/** The console of a store is part of its own pods; a store that somebody else runs has none here. */
function isRendered(kind: RoleKind, storage: FleetObjectStorage | undefined): boolean {
  if (kind === "object-store-console") return false;
  return kind !== "object-store" || (storage !== undefined && storage.kind !== "external" && storage.kind !== "rook");
}

/** Host and port of the S3 API, as objstore.yml names it: without a scheme. */
export function storageEndpoint({ storage, settings }: Deployment, from: "monitoring" | "app-cluster"): string {
  if (storage?.endpoint !== undefined) return storage.endpoint;
  // In the monitoring cluster by the Service, without a hop outside; from elsewhere by a name that resolves there.
  return from === "monitoring"
    ? `object-store-s3.${settings.storageNamespace}.svc:8333`
    : `s3.${settings.publicDomain}`;
}
