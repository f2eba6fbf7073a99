/** Where the processes of a twin show their own metrics. */

/** What of its metrics a process with app clusters has itself; each cluster takes in its own. */
export const processMetricsPath = "/metrics/process";
