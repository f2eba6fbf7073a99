export { defaultSidecar, startSidecar, type Sidecar, type SidecarFailure, type SidecarOptions } from "./sidecar.ts";
