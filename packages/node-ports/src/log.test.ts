import { describe, expect, it } from "vitest";
import { createLog } from "./log.ts";

describe("log", () => {
  it("writes one JSON object a line, with the fields of the process and of the line", () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", fields: { role: "agent" }, write: (line) => lines.push(line) });
    log("warn", "disk is filling up", { freeBytes: 1024, full: false });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith("\n")).toBe(true);
    const { time, ...rest } = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(rest).toEqual({ level: "warn", role: "agent", freeBytes: 1024, full: false, message: "disk is filling up" });
  });

  it("drops lines below its level", () => {
    const lines: string[] = [];
    const log = createLog({ level: "warn", write: (line) => lines.push(line) });
    for (const level of ["debug", "info", "warn", "error"] as const) log(level, `a line of level ${level}`);
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(["warn", "error"]);
  });
});
