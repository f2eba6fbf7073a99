/** `query_exemplars`: samples that stand for many, and what they were seen with. */
import {
  fail,
  formatFloat,
  labelsToRecord,
  ok,
  type MonitoringSource,
  type Result,
  type SeriesExemplars,
} from "@pleiad/model";
import { parseExpression, selectorsOf } from "@pleiad/promql-syntax";
import { badData, wholeAnswer, type ApiAnswer, type ApiFailure } from "./envelope.ts";
import { readMonitoringSettings, type MonitoringRoutesOptions } from "./monitoring-routes.ts";
import { timeMaxMs, timeMinMs } from "./parameter-text.ts";
import { readTime, type SourceDefaults } from "./request-settings.ts";
import type { RequestForm } from "./request-form.ts";
import type { Route, RouterPorts } from "./router.ts";
import { failureOfSource } from "./source-failure.ts";
import { withDeadline } from "@pleiad/ports";

/** Without a source the answer is empty. Grafana probes: any success tells it that it may ask. */
export function exemplarRoutes(
  { monitoring, defaults, timeoutMs }: MonitoringRoutesOptions,
  { clock }: Pick<RouterPorts, "clock">,
): readonly Route[] {
  return [
    {
      path: "/api/v1/query_exemplars",
      methods: ["GET", "POST"],
      handler: "exemplars",
      answer: {
        kind: "api",
        answer: async ({ form, signal }) =>
          await withDeadline(clock, timeoutMs, signal, async (deadline) =>
            listExemplars(form, monitoring.exemplars, defaults, deadline),
          ),
      },
    },
  ];
}

async function listExemplars(
  form: RequestForm,
  ask: MonitoringSource["exemplars"],
  defaults: SourceDefaults,
  signal: AbortSignal,
): Promise<Result<ApiAnswer, ApiFailure>> {
  const start = readTime(form, "start", timeMinMs);
  if (!start.ok) return start;
  const end = readTime(form, "end", timeMaxMs);
  if (!end.ok) return end;
  if (end.value < start.value) return fail(badData("end timestamp must not be before start timestamp"));
  const query = parseExpression(form.first("query"));
  if (!query.ok) return fail(badData(query.failure.message));
  const settings = readMonitoringSettings(form, defaults);
  if (!settings.ok) return settings;
  const selectors = selectorsOf(query.value);
  if (ask === undefined || selectors.length === 0) return ok(wholeAnswer([]));
  const { withoutLabels, onFailure } = settings.value;
  const times = { minTimeMs: start.value, maxTimeMs: end.value };
  const found = await ask({ selectors, ...times, withoutLabels, onFailure }, signal);
  if (!found.ok) return fail(failureOfSource(found.failure, signal));
  const { series, warnings } = found.value;
  return ok({ ...wholeAnswer(series.map(seriesJson)), warnings, partial: warnings.length > 0 });
}

function seriesJson({ labels, exemplars }: SeriesExemplars) {
  return {
    seriesLabels: labelsToRecord(labels),
    exemplars: exemplars.map((exemplar) => ({
      labels: labelsToRecord(exemplar.labels),
      value: formatFloat(exemplar.value),
      timestamp: exemplar.timestampMs / 1000,
    })),
  };
}
