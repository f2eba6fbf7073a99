export { allowedEdges, type AllowedEdge } from "./network-policies.ts";
export { deploymentOf, type Deployment, type RenderFailure } from "./deployment.ts";
export { objectKey, type KubernetesObject } from "./kubernetes-object.ts";
export { renderFleet } from "./render.ts";
export {
  authorityNamespace,
  authoritySecret,
  certificateRequests,
  clusterNames,
  type CertificateRequest,
} from "./certificates.ts";
export { requiredSecrets, type RequiredSecret } from "./required-secrets.ts";
export {
  defaultRenderSettings,
  readRenderSettings,
  settingsFile,
  type GitOpsSource,
  type RenderSettings,
  type SecretSource,
} from "./render-settings.ts";
export type { RenderedTree } from "./rendered-tree.ts";
export { thanosVersions } from "./thanos-command.ts";
export { certificateBody, pemOf, signedCertificate, type CertificateFields, type CertificateUse } from "./x509.ts";
export {
  bucketKeySteps,
  bucketPolicy,
  clusterPrincipal,
  type BucketPrincipal,
  type PolicyDocument,
} from "./bucket-policies.ts";
export { applySteps, applyWaves, type ApplyStep, type ApplyWave } from "./apply-steps.ts";
export { isWaitedFor, objectTitle, readinessOf, type LiveObject, type Readiness } from "./readiness.ts";
