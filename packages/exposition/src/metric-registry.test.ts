import { describe, expect, it } from "vitest";
import { createMetricRegistry, droppedObservationsMetric, observationsOf } from "./metric-registry.ts";

describe("a metric registry", () => {
  it("renders HELP, TYPE and series, metrics by name and series by label values", () => {
    const registry = createMetricRegistry();
    const requests = registry.counter("http_requests_total", "Requests by path.", ["method", "path"]);
    registry.gauge("head_series", "Series in the head.").set(12.5);
    requests.add(2, "POST", "/b");
    requests.add(1, "GET", "/z");
    requests.add(1, "GET", "/a");
    requests.add(3, "GET", "/a");
    expect(registry.render()).toBe(
      [
        "# HELP head_series Series in the head.",
        "# TYPE head_series gauge",
        "head_series 12.5",
        "# HELP http_requests_total Requests by path.",
        "# TYPE http_requests_total counter",
        'http_requests_total{method="GET",path="/a"} 4',
        'http_requests_total{method="GET",path="/z"} 1',
        'http_requests_total{method="POST",path="/b"} 2',
        "",
      ].join("\n"),
    );
  });

  it("renders histograms cumulatively, with +Inf, sum and count", () => {
    const registry = createMetricRegistry();
    const seconds = registry.histogram("request_seconds", "Durations.", [0.1, 1], ["handler"]);
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value, "query");
    expect(registry.render().split("\n").slice(2, -1)).toEqual([
      'request_seconds_bucket{handler="query",le="0.1"} 2',
      'request_seconds_bucket{handler="query",le="1"} 3',
      'request_seconds_bucket{handler="query",le="+Inf"} 4',
      'request_seconds_sum{handler="query"} 7.65',
      'request_seconds_count{handler="query"} 4',
    ]);
  });

  it("escapes help and label values", () => {
    const registry = createMetricRegistry();
    registry.gauge("a", 'two\nlines, a \\ and a "', ["l"]).set(1, 'quote " back \\ line\n');
    expect(registry.render()).toBe(
      '# HELP a two\\nlines, a \\\\ and a "\n# TYPE a gauge\na{l="quote \\" back \\\\ line\\n"} 1\n',
    );
  });

  it("shows a metric without labels before its first event, one with labels after it", () => {
    const registry = createMetricRegistry();
    registry.counter("plain_total", "h");
    registry.counter("labelled_total", "h", ["l"]);
    expect(registry.render()).toBe(
      "# HELP labelled_total h\n# TYPE labelled_total counter\n# HELP plain_total h\n# TYPE plain_total counter\nplain_total 0\n",
    );
  });

  it("finds a metric that is declared again", () => {
    const registry = createMetricRegistry();
    registry.counter("a_total", "h", ["l"]).add(1, "x");
    registry.counter("a_total", "h", ["l"]).add(1, "x");
    expect(registry.render()).toContain('a_total{l="x"} 2');
  });

  for (const [rule, misuse, message] of [
    ["another type", (r) => r.gauge("a_total", "h", ["l"]), "metric a_total is a counter, not a gauge"],
    ["other labels", (r) => r.counter("a_total", "h", ["m"]), "metric a_total has the labels (l), not (m)"],
    ["no metric name", (r) => r.counter("a-b", "h"), 'not a metric name: "a-b"'],
    ["no label name", (r) => r.counter("b", "h", ["1"]), 'metric b: not a label name for a metric: "1"'],
    ["a reserved label", (r) => r.counter("b", "h", ["le"]), 'metric b: not a label name for a metric: "le"'],
    ["a repeated label", (r) => r.counter("b", "h", ["x", "x"]), "metric b: a label name is repeated"],
    ["a missing value", (r) => r.counter("a_total", "h", ["l"]).add(1), "metric a_total takes 1 label values, not 0"],
    [
      "a counter that falls",
      (r) => r.counter("a_total", "h", ["l"]).add(-1, "x"),
      "counter a_total cannot change by -1",
    ],
    [
      "a counter made NaN",
      (r) => r.counter("a_total", "h", ["l"]).add(NaN, "x"),
      "counter a_total cannot change by NaN",
    ],
    [
      "buckets that fall",
      (r) => r.histogram("h", "h", [2, 1]),
      "histogram h: bucket bounds must be finite and ascend: (2,1)",
    ],
    ["other buckets", (r) => r.histogram("known", "h", [1, 3]), "metric known has the buckets (1,2), not (1,3)"],
  ] as const satisfies readonly (readonly [string, (r: ReturnType<typeof createMetricRegistry>) => void, string])[]) {
    it(`refuses misuse: ${rule}`, () => {
      const registry = createMetricRegistry();
      registry.counter("a_total", "h", ["l"]);
      registry.histogram("known", "h", [1, 2]);
      expect(() => misuse(registry)).toThrow(message);
    });
  }

  it("drops what would be one series too many, and counts it", () => {
    const registry = createMetricRegistry({ seriesPerMetricMax: 2 });
    const counter = registry.counter("a_total", "h", ["l"]);
    for (const value of ["x", "y", "z", "x", "z"]) counter.add(1, value);
    const page = registry.render();
    expect(page).toContain('a_total{l="x"} 2\na_total{l="y"} 1\n');
    expect(page).not.toContain('l="z"');
    expect(page).toContain(`${droppedObservationsMetric}{metric="a_total"} 2`);
  });

  it("renders the part of one of several, with labels of its own in the place of the one that tells them apart", () => {
    const registry = createMetricRegistry();
    const counter = registry.counter("a_total", "h", ["tenant", "l"]);
    counter.add(1, "x", "1");
    counter.add(2, "y", "2");
    registry.gauge("b", "h").set(3);
    registry.counter("c_total", "h", ["tenant"]).add(4, "y");
    expect(registry.render({ where: ["tenant", "x"], labels: [["job", "j"]] })).toBe(
      '# HELP a_total h\n# TYPE a_total counter\na_total{job="j",l="1"} 1\n',
    );
    // A metric without the label has no value of it.
    expect(registry.render({ where: ["tenant", ""], labels: [] })).toBe("# HELP b h\n# TYPE b gauge\nb 3\n");
  });

  it("becomes observations with a log", () => {
    const lines: string[] = [];
    const registry = createMetricRegistry();
    const observations = observationsOf(registry, (level, message) => lines.push(`${level} ${message}`));
    observations.counter("a_total", "h").add(1);
    observations.log("info", "started");
    expect(registry.render()).toContain("a_total 1");
    expect(lines).toEqual(["info started"]);
  });
});
