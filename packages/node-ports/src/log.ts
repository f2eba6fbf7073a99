/** Log lines: one JSON object a line, on standard error unless told otherwise. */
import { pino } from "pino";
import type { LogLevel, Observations } from "@pleiad/ports";

export interface LogOptions {
  readonly level: LogLevel; // lines below it are dropped
  readonly fields?: Readonly<Record<string, string | number | boolean>>; // on every line, such as the role's name
  /** Takes each line, its newline included. Without it, lines go to standard error before `log` returns. */
  readonly write?: (line: string) => void;
}

const standardError = 2;

export function createLog({ level, fields = {}, write }: LogOptions): Observations["log"] {
  const logger = pino(
    {
      level,
      base: fields,
      messageKey: "message",
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    write === undefined ? pino.destination({ fd: standardError, sync: true }) : { write },
  );
  return (lineLevel, message, lineFields) => logger[lineLevel](lineFields ?? {}, message);
}
