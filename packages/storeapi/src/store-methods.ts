/** Full names of the methods that a StoreAPI server has. */
export const infoMethod = "/thanos.info.Info/Info";
export const seriesMethod = "/thanos.Store/Series";
export const labelNamesMethod = "/thanos.Store/LabelNames";
export const labelValuesMethod = "/thanos.Store/LabelValues";
export const healthMethod = "/grpc.health.v1.Health/Check";
