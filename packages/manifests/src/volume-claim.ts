/** Claims of volumes that outlive their pod. */
import type { IStorageSpec } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/StorageSpec";
import type { RenderSettings } from "./render-settings.ts";

export function volumeClaimSpec({ storageClass }: RenderSettings, bytes: number) {
  return {
    accessModes: ["ReadWriteOnce" as const],
    ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
    resources: { requests: { storage: `${Math.ceil(bytes / 2 ** 30)}Gi` } },
  };
}

/** The same for a resource of the operator, which fills in kind and version; the published types ask for wrong ones. */
export function operatorStorage(settings: RenderSettings, bytes: number): IStorageSpec {
  return { volumeClaimTemplate: { spec: volumeClaimSpec(settings, bytes) } } as unknown as IStorageSpec;
}
