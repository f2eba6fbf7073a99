export type { LocalBlock } from "./local-blocks.ts";
export { formatTsdbFailure, type TsdbFailure } from "./tsdb-failure.ts";
export { defaultTsdbView, viewTsdb, type TsdbView, type TsdbViewOptions } from "./tsdb-view.ts";
