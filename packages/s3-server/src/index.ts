export { parseFaultPlan, type S3Fault, type S3FaultPlan, type S3FaultRule } from "./fault-plan.ts";
export type { S3ErrorCode } from "./s3-error.ts";
export { defaultS3Limits, type S3Limits } from "./s3-limits.ts";
export { createS3Server, faultsPath, type S3Server, type S3ServerOptions, type S3ServerPorts } from "./s3-server.ts";
export { signHeaders, type S3Credential, type SignableRequest, type SigningOptions } from "./signature.ts";
