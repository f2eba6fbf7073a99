/** Keeps asking a Prometheus whether it is ready, and what a sidecar goes by: its external labels, its flags, its oldest sample. */
import { formatSourceFailure, ok, type Labels, type Result, type SourceFailure } from "@pleiad/model";
import { sleepUnlessAborted, type Clock, type Observations } from "@pleiad/ports";
import type { PrometheusApi, PrometheusFlags } from "@pleiad/remote";

/** What a Prometheus says of itself. */
export interface PrometheusState {
  readonly externalLabels: Labels;
  readonly flags: PrometheusFlags;
  readonly version: string;
  /** Undefined where it has no sample, or does not say. */
  readonly oldestSampleMs: number | undefined;
}

export interface WatchOptions {
  readonly readyIntervalMs: number;
  readonly stateIntervalMs: number;
  /** Called with every state that differs in labels or flags from the one before. Its end is waited for. */
  readonly onChange: (state: PrometheusState) => Promise<void>;
}

export interface PrometheusWatch {
  /** The last state that it told. */
  readonly state: PrometheusState;
  /** Why it answers no more; undefined while it does. */
  readonly failure: SourceFailure | undefined;
  /** Asks until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/** All of it, or why it cannot be had now. */
export async function askState(
  api: PrometheusApi,
  signal: AbortSignal,
): Promise<Result<PrometheusState, SourceFailure>> {
  const ready = await api.ready(signal);
  if (!ready.ok) return ready;
  const externalLabels = await api.externalLabels(signal);
  if (!externalLabels.ok) return externalLabels;
  const flags = await api.flags(signal);
  if (!flags.ok) return flags;
  const version = await api.version(signal);
  if (!version.ok) return version;
  const oldestSampleMs = await api.oldestSampleMs(signal);
  if (!oldestSampleMs.ok) return oldestSampleMs;
  return ok({
    externalLabels: externalLabels.value,
    flags: flags.value,
    version: version.value,
    oldestSampleMs: oldestSampleMs.value,
  });
}

export function watchPrometheus(
  api: PrometheusApi,
  first: PrometheusState,
  options: WatchOptions,
  { clock, observations }: { readonly clock: Clock; readonly observations: Observations },
): PrometheusWatch {
  const { readyIntervalMs, stateIntervalMs, onChange } = options;
  const up = observations.gauge("thanos_sidecar_prometheus_up", "Whether Prometheus is up and ready.");
  const lastSuccess = observations.gauge(
    "thanos_sidecar_last_heartbeat_success_time_seconds",
    "When Prometheus last answered.",
  );
  const show = (isUp: boolean) => {
    up.set(isUp ? 1 : 0);
    if (isUp) lastSuccess.set(clock.wallMs() / 1000);
  };
  let state = first;
  let failure: SourceFailure | undefined;
  let nextStateMs = clock.monotonicMs() + stateIntervalMs;
  show(true);

  async function look(signal: AbortSignal): Promise<void> {
    // What has been away may have come back as another: it is asked for all.
    const isStateDue = failure !== undefined || clock.monotonicMs() >= nextStateMs;
    const answer = isStateDue ? await askState(api, signal) : await api.ready(signal);
    if (signal.aborted) return;
    if (!answer.ok) {
      if (failure === undefined) {
        const reason = formatSourceFailure(answer.failure);
        observations.log("warn", "Prometheus does not answer; the sidecar is not ready.", { reason });
      }
      ({ failure } = answer);
      return show(false);
    }
    if (failure !== undefined) observations.log("info", "Prometheus answers again.", {});
    failure = undefined;
    show(true);
    if (answer.value === undefined) return;
    nextStateMs = clock.monotonicMs() + stateIntervalMs;
    const before = state;
    state = answer.value;
    if (isOther(before, state)) await onChange(state);
  }

  return {
    get state() {
      return state;
    },
    get failure() {
      return failure;
    },
    async run(signal) {
      while (await sleepUnlessAborted(clock, readyIntervalMs, signal)) await look(signal);
    },
  };
}

function isOther(a: PrometheusState, b: PrometheusState): boolean {
  const relevant = ({ externalLabels, flags }: PrometheusState) => JSON.stringify([externalLabels, flags]);
  return relevant(a) !== relevant(b);
}
