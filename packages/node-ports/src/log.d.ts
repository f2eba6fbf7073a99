import type { LogLevel, Observations } from "@pleiad/ports";
export interface LogOptions {
  readonly level: LogLevel;
  readonly fields?: Readonly<Record<string, string | number | boolean>>;
  /** Takes each line, its newline included. Without it, lines go to standard error before `log` returns. */
  readonly write?: (line: string) => void;
}
export declare function createLog({ level, fields, write }: LogOptions): Observations["log"];
