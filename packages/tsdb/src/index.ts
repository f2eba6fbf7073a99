export type { LocalBlock } from "./local-blocks.ts";
export type { LocalRetention } from "./local-retention.ts";
export { startMaintenance, type Maintenance } from "./maintenance.ts";
export { formatTsdbFailure, type TsdbFailure } from "./tsdb-failure.ts";
export { defaultTsdbView, viewTsdb, type TsdbView, type TsdbViewOptions } from "./tsdb-view.ts";
export {
  defaultTsdb,
  openTsdb,
  type Tsdb,
  type TsdbMaintenance,
  type TsdbOptions,
  type TsdbPorts,
  type TsdbStatistics,
} from "./tsdb.ts";
export {
  createShipper,
  defaultShipper,
  type Shipper,
  type ShipperOptions,
  type ShipperPass,
  type ShipperPorts,
} from "./shipper.ts";
