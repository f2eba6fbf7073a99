/** How the command ends. One table: scripts and CI rely on it. */
export const exitCodes = {
  done: 0,
  failed: 1, // it could not be done: a port taken, nothing answers
  badInput: 2, // a flag, a fleet file or a query is wrong
  findings: 3, // it was done, and something was found that the caller asked to fail on
} as const;

/** Ends the command with one line of its own on standard error. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.name = "CommandFailure";
    this.exitCode = exitCode;
  }
}
