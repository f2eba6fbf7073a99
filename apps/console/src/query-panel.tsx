import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { queryRange, type RangeAnswer } from "./api.ts";
import { Chart } from "./chart.tsx";
import { formatSeries } from "./series-text.ts";

const ranges = [
  ["15 min", 900],
  ["1 h", 3600],
  ["2 h", 7200],
  ["6 h", 21_600],
] as const;
const examples = [
  "count by (region) (up == 1)",
  'sum by (region) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))',
  "topk(5, sum by (cluster) (rate(apiserver_request_total[5m])))",
  "histogram_quantile(0.99, sum by (le, region) (rate(http_request_duration_seconds_bucket[5m])))",
] as const;
const pointsWanted = 240;
const stepMin = 15;
const rowsMax = 200;

const text = signal(textFromHash() ?? examples[1]);
const rangeSeconds = signal<number>(3600);
const answer = signal<{ readonly value: RangeAnswer; readonly query: string } | undefined>(undefined);
const problem = signal<string | undefined>(undefined);
const running = signal(false);
let current: AbortController | undefined;

function textFromHash(): string | undefined {
  return new URLSearchParams(location.hash.slice(1)).get("q") ?? undefined;
}

async function run(): Promise<void> {
  current?.abort();
  const controller = new AbortController();
  current = controller;
  running.value = true;
  problem.value = undefined;
  const query = text.value;
  history.replaceState(null, "", `#${new URLSearchParams({ q: query }).toString()}`);
  const step = Math.max(stepMin, Math.ceil(rangeSeconds.value / pointsWanted));
  const end = Math.floor(Date.now() / 1000 / step) * step;
  try {
    const value = await queryRange(query, { start: end - rangeSeconds.value, end, step }, controller.signal);
    answer.value = { value, query };
  } catch (error) {
    if (controller.signal.aborted) return;
    answer.value = undefined;
    problem.value = error instanceof Error ? error.message : String(error);
  } finally {
    if (current === controller) running.value = false;
  }
}

/** Puts a question about one cluster into the box, and asks it. */
export function askAbout(cluster: string): void {
  text.value = `sum by (mode) (rate(node_cpu_seconds_total{cluster="${cluster}",mode!="idle"}[5m]))`;
  void run();
  document.getElementById("query-text")?.scrollIntoView({ behavior: "smooth", block: "center" });
}

export function QueryPanel() {
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (textFromHash() !== undefined) void run();
  }, []);
  const shown = answer.value;
  return (
    <>
      <h2>Query</h2>
      <form
        class="query"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <textarea
          id="query-text"
          ref={box}
          aria-label="PromQL expression"
          spellcheck={false}
          rows={2}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey) {
              event.preventDefault();
              void run();
            }
          }}
        />
        <select
          aria-label="Range"
          value={rangeSeconds.value}
          onChange={(event) => {
            rangeSeconds.value = Number(event.currentTarget.value);
            void run();
          }}
        >
          {ranges.map(([title, seconds]) => (
            <option key={title} value={seconds}>
              {title}
            </option>
          ))}
        </select>
        <button type="submit" class="primary" disabled={running.value}>
          {running.value ? "Running …" : "Run"}
        </button>
      </form>
      <p class="examples">
        {examples.map((example) => (
          <button
            key={example}
            type="button"
            onClick={() => {
              text.value = example;
              void run();
            }}
          >
            {example}
          </button>
        ))}
      </p>
      {problem.value !== undefined && (
        <p class="notice bad" role="alert" id="query-problem">
          {problem.value}
        </p>
      )}
      {shown?.value.warnings.map((warning) => (
        <p class="notice warn" key={warning}>
          {warning}
        </p>
      ))}
      {shown !== undefined && (
        <>
          <p class="took" id="query-took">
            {shown.value.series.length} series in {Math.round(shown.value.tookMs)} ms
          </p>
          {shown.value.series.length > 0 && <Chart series={shown.value.series} />}
          <ResultTable answer={shown.value} />
        </>
      )}
    </>
  );
}

function ResultTable({ answer: { series } }: { readonly answer: RangeAnswer }) {
  if (series.length === 0) return <p class="notice">No series match in this range.</p>;
  return (
    <div class="table">
      <table id="query-table">
        <thead>
          <tr>
            <th>Series</th>
            <th>Newest value</th>
          </tr>
        </thead>
        <tbody>
          {series.slice(0, rowsMax).map((one) => (
            <tr key={formatSeries(one.metric)}>
              <td>
                <code>{formatSeries(one.metric)}</code>
              </td>
              <td class="number">{one.values?.at(-1)?.[1] ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {series.length > rowsMax && (
        <p class="took">
          The first {rowsMax} of {series.length} series are listed.
        </p>
      )}
    </div>
  );
}
