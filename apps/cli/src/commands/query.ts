/** `pleiad query 'expr'`: asks a querier over its HTTP API and prints a table. */
import { unreachable } from "@pleiad/model";
import { readRunningTwin } from "@pleiad/twin";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { formatAnalysis, formatExplanation } from "../query-explanation.ts";
import { formatTable, left, right } from "../table.ts";
import { InvalidArgumentError, type Command } from "commander";
import { stateOption } from "../command-options.ts";

interface QueryCommandOptions {
  readonly url: string | undefined;
  readonly state: string;
  readonly time: string | undefined;
  readonly start: string | undefined;
  readonly end: string | undefined;
  readonly step: string | undefined;
  readonly json: boolean;
  readonly explain: boolean;
  readonly analyze: boolean;
}

type Point = readonly [seconds: number, value: string];

interface Envelope {
  readonly status: "success" | "error";
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data?: Data | Parameters<typeof formatExplanation>[0];
}

type Data = { readonly analysis?: Parameters<typeof formatAnalysis>[0] } & (
  | { readonly resultType: "scalar" | "string"; readonly result: Point }
  | { readonly resultType: "vector"; readonly result: readonly { metric: Record<string, string>; value?: Point }[] }
  | {
      readonly resultType: "matrix";
      readonly result: readonly { metric: Record<string, string>; values?: readonly Point[] }[];
    }
);

/** How the query is evaluated, or was. */
function formatInsight({ data }: Envelope): string {
  if (data === undefined) return "";
  if ("plan" in data) return formatExplanation(data);
  if (data.analysis !== undefined) return formatAnalysis(data.analysis);
  throw new CommandFailure(exitCodes.failed, "the querier analyzes no queries");
}

export function addQueryCommand(program: Command): void {
  program
    .command("query")
    .description("ask a querier, print a table")
    .argument("<expression>", "PromQL", (text: string) => {
      if (text.trim() === "") throw new InvalidArgumentError("it is empty");
      return text;
    })
    .option("--url <url>", "a querier; default: that of the running twin")
    .addOption(stateOption)
    .option("--time <time>", "evaluate at, Unix seconds or RFC 3339; default: now")
    .option("--start <time>", "range query: from; default: one hour before the end")
    .option("--end <time>", "range query: to; default: now")
    .option("--step <seconds>", "range query: resolution; default: 60")
    .option("--explain", "print the plan and its operators, read no samples", false)
    .option("--analyze", "print series, samples and time of each operator instead of the answer", false)
    .option("--json", "print the answer as it came", false)
    .action(async (expression: string, options: QueryCommandOptions) => await queryCommand(expression, options));
}

async function queryCommand(expression: string, options: QueryCommandOptions): Promise<void> {
  const urls = options.url === undefined ? urlsOfRunningTwin(options.state) : [options.url];
  const ranged = options.start !== undefined || options.end !== undefined || options.step !== undefined;
  const parameters = new URLSearchParams({ query: expression });
  if (ranged) {
    const endSeconds = options.end ?? String(Date.now() / 1000);
    parameters.set("start", options.start ?? String(Number(endSeconds) - 3600));
    parameters.set("end", endSeconds);
    parameters.set("step", options.step ?? "60");
  } else if (options.time !== undefined) {
    parameters.set("time", options.time);
  }
  if (options.analyze) parameters.set("analyze", "true");
  const endpoint = (ranged ? "query_range" : "query") + (options.explain ? "_explain" : "");
  const answer = await ask(urls, endpoint, parameters);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  } else if (answer.status === "success") {
    process.stdout.write(options.explain || options.analyze ? formatInsight(answer) : formatAnswer(answer));
  }
  for (const warning of answer.warnings ?? []) process.stderr.write(`warning: ${warning}\n`);
  for (const info of answer.infos ?? []) process.stderr.write(`info: ${info}\n`);
  if (answer.status === "error") {
    const exitCode = answer.errorType === "bad_data" ? exitCodes.badInput : exitCodes.failed;
    throw new CommandFailure(exitCode, answer.error ?? "the querier gave no reason");
  }
}

function urlsOfRunningTwin(stateDirectory: string): readonly string[] {
  const twin = readRunningTwin(stateDirectory);
  if (twin === undefined) {
    throw new CommandFailure(
      exitCodes.failed,
      "no twin runs here; start one with npm start, or name a querier with --url http://host:port",
    );
  }
  return twin.apiUrls;
}

async function ask(urls: readonly string[], endpoint: string, parameters: URLSearchParams): Promise<Envelope> {
  const failures: string[] = [];
  for (const url of urls) {
    let response: Response;
    try {
      response = await fetch(`${url.replace(/\/+$/, "")}/api/v1/${endpoint}`, { method: "POST", body: parameters });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      failures.push(`${url}: ${cause}`);
      continue;
    }
    const text = await response.text();
    try {
      return JSON.parse(text) as Envelope;
    } catch {
      failures.push(`${url}: status ${response.status}, and no JSON`);
    }
  }
  throw new CommandFailure(exitCodes.failed, `no querier answers: ${failures.join("; ")}`);
}

/** An instant answer has a row for each series; a range has their first, last, least and greatest value. */
function formatAnswer(answer: Envelope): string {
  const { data } = answer;
  if (data === undefined || "plan" in data) return "";
  switch (data.resultType) {
    case "scalar":
    case "string":
      return `${data.result[1]}\n`;
    case "vector": {
      if (data.result.length === 0) return "no series\n";
      const names = labelNames(data.result);
      return formatTable(
        [...names.map(left), right("VALUE")],
        data.result.map((one) => [...names.map((name) => one.metric[name] ?? ""), one.value?.[1] ?? "histogram"]),
      );
    }
    case "matrix": {
      if (data.result.length === 0) return "no series\n";
      const names = labelNames(data.result);
      return formatTable(
        [...names.map(left), ...["POINTS", "FIRST", "LAST", "MIN", "MAX"].map(right)],
        data.result.map((one) => {
          const values = (one.values ?? []).map(([, value]) => value);
          const numbers = values.map(Number).filter((value) => !Number.isNaN(value));
          const extreme = (pick: (a: number, b: number) => number) =>
            numbers.length === 0 ? "NaN" : String(numbers.reduce((a, b) => pick(a, b)));
          return [
            ...names.map((name) => one.metric[name] ?? ""),
            String(values.length),
            values[0] ?? "",
            values.at(-1) ?? "",
            extreme(Math.min),
            extreme(Math.max),
          ];
        }),
      );
    }
    default:
      return unreachable(data);
  }
}

function labelNames(series: readonly { readonly metric: Readonly<Record<string, string>> }[]): readonly string[] {
  const names = new Set(series.flatMap((one) => Object.keys(one.metric)));
  return [...names].sort((a, b) => (a === "__name__" ? -1 : b === "__name__" ? 1 : a < b ? -1 : 1));
}
