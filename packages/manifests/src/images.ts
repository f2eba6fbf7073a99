/** Container images, pinned: never `latest`, by digest where the fleet's mirror or file knows one. */
import type { Versions } from "@pleiad/fleet";

export interface Images {
  readonly thanos: string;
  readonly prometheus: string;
  readonly prometheusConfigReloader: string;
  readonly alertmanager: string;
  readonly grafana: string;
  readonly memcached: string;
  readonly seaweedfs: string;
  readonly silo: string;
  readonly minio: string;
}

/** `mirror` takes the place of each image's own registry. */
export function imagesOf(versions: Versions, mirror: string | undefined): Images {
  const at = (image: string) => (mirror === undefined ? image : `${mirror}/${image.slice(image.indexOf("/") + 1)}`);
  return {
    thanos: at(`quay.io/thanos/thanos:v${versions.thanos}`),
    prometheus: at(`quay.io/prometheus/prometheus:v${versions.prometheus}`),
    prometheusConfigReloader: at("quay.io/prometheus-operator/prometheus-config-reloader:v0.93.0"),
    alertmanager: at(`quay.io/prometheus/alertmanager:v${versions.alertmanager}`),
    grafana: at(`docker.io/grafana/grafana:${versions.grafana}`),
    memcached: at("docker.io/library/memcached:1.6.39-alpine"),
    seaweedfs: at("docker.io/chrislusf/seaweedfs:4.44"),
    silo: at("docker.io/pgsty/silo:RELEASE.2026-09-03T13-18-01Z"),
    // The last image that its makers published; not the archive's `latest`, and not from Docker Hub, where it is gone.
    minio: at("quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"),
  };
}

/** Every image that objects run, each once, one a line: what a mirror has to hold. */
export function imageList(objects: readonly unknown[]): string {
  const images = new Set<string>();
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        if (key === "image" && typeof inner === "string") images.add(inner);
        else collect(inner);
      }
    }
  };
  collect(objects);
  return [...images]
    .sort()
    .map((image) => `${image}\n`)
    .join("");
}
