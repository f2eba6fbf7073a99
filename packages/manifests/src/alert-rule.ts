/** Rules as Prometheus and the rulers read them: alerts, each with the page that says what to do, and recordings. */
import { recordings, type Recorder } from "@pleiad/dashboards";

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>> & { readonly severity: Severity };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

/** Critical: somebody is woken. Warning: somebody looks the same day. None: it always fires. */
export type Severity = "critical" | "warning" | "none";

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

/** The page that has a section for each alert, by the path of Pleiad's own documents. */
export const runbookPage = "docs/guide/alerts.md";

/** An alert that fires when `expr` has had a result for as long as `wait` says. Labels tell it from others of its name. */
export function alertRule(
  alert: string,
  severity: Severity,
  expr: string,
  wait: string,
  summary: string,
  labels: Readonly<Record<string, string>> = {},
): AlertRule {
  const annotations = { summary, runbook_url: `${runbookPage}#${alert.toLowerCase()}` };
  return { alert, expr, for: wait, labels: { ...labels, severity }, annotations };
}

/**
 * When cert-manager's certificates of a namespace end. Its chart's monitors leave the target's own namespace in the place of
 * the certificate's, which is `exported_namespace` then.
 */
export function certificateEnds(namespace: string, within = ""): string {
  const select = (...matchers: readonly string[]) =>
    `certmanager_certificate_expiration_timestamp_seconds{${[within, ...matchers].filter((one) => one !== "").join(", ")}}`;
  const honoured = select(`namespace="${namespace}"`, 'exported_namespace=""');
  return `${select(`exported_namespace="${namespace}"`)} or ${honoured}`;
}

/** What one of the two works out for everybody, of the series that the matchers choose. */
export function recordingRules(recorder: Recorder, matchers: string): readonly RecordingRule[] {
  return recordings
    .filter((one) => one.recorder === recorder)
    .map(({ record, expression }) => ({ record, expr: expression(matchers) }));
}
