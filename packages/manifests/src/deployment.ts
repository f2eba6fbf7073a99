/** All that components are rendered from, derived once. */
import { fail, ok, type Result } from "@pleiad/model";
import type { Fleet, FleetObjectStorage, Plan } from "@pleiad/fleet";
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
  return ok({
    fleet,
    plan,
    settings,
    images: imagesOf(versions, settings.imageMirror),
    thanos,
    workloads: workloadsOf(plan),
    edges: workloadEdges(plan),
    storage: fleet.objectStorage,
  });
}

/** Host and port of the S3 API, as objstore.yml names it: without a scheme. */
export function storageEndpoint({ storage, settings }: Deployment, from: "monitoring" | "app-cluster"): string {
  if (storage?.endpoint !== undefined) return storage.endpoint;
  // In the monitoring cluster by the Service, without a hop outside; from elsewhere by a name that resolves there.
  return from === "monitoring"
    ? `object-store-s3.${settings.storageNamespace}.svc:8333`
    : `s3.${settings.publicDomain}`;
}
