/** Full names of the methods by which a peer evaluates. */
export const queryMethod = "/thanos.Query/Query";
export const queryRangeMethod = "/thanos.Query/QueryRange";
