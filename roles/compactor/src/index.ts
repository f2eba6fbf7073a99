export {
  defaultWaitIntervalMs,
  startCompactor,
  type CompactorPorts,
  type CompactorRole,
  type CompactorRoleFailure,
  type CompactorRoleOptions,
} from "./compactor.ts";
