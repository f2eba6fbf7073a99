/** How long to wait before a crashed process is started again: doubling, and short again after it has run well. */
export interface RestartPolicy {
  readonly firstPauseMs: number;
  readonly pauseMsMax: number;
  readonly steadyAfterMs: number; // a run this long forgives what was before
}

export const defaultRestartPolicy: RestartPolicy = { firstPauseMs: 500, pauseMsMax: 30_000, steadyAfterMs: 60_000 };

export interface RestartHistory {
  readonly crashes: number; // in a row
}

export function afterCrash(
  history: RestartHistory,
  ranForMs: number,
  policy: RestartPolicy,
): { readonly history: RestartHistory; readonly pauseMs: number } {
  const crashes = ranForMs >= policy.steadyAfterMs ? 1 : history.crashes + 1;
  const pauseMs = Math.min(policy.pauseMsMax, policy.firstPauseMs * 2 ** Math.min(crashes - 1, 30));
  return { history: { crashes }, pauseMs };
}
