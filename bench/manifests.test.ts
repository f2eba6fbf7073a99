import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { hasKubectl, timeRendering } from "./manifests.ts";

it.skipIf(!hasKubectl())("kustomize builds what is rendered: the monitoring cluster and an app cluster", () => {
  const { builds, files, bytes, validation } = timeRendering(
    fileURLToPath(new URL("../fleets/laptop.yaml", import.meta.url)),
    1,
  );
  expect(builds).toBe(2);
  expect(files).toBeGreaterThan(50);
  expect(validation.faults).toEqual([]);
  expect(validation.objects).toBeGreaterThan(100);
  expect(bytes).toBeGreaterThan(100_000);
});
