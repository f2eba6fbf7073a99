import { keyPlace, pathText, valuePlace, type FleetSource, type Path } from "./fleet-source.ts";
import { problemAtPlace, type FleetProblem, type Mismatch } from "./problems.ts";

type Finding = Mismatch & { readonly found: string };

/** Collects problems of one fleet file, each at the place of a value or a key. */
export class ProblemLog {
  readonly #source: FleetSource;
  readonly #problems: FleetProblem[] = [];

  constructor(source: FleetSource) {
    this.#source = source;
  }

  atValue(path: Path, finding: Finding): void {
    this.#problems.push(problemAtPlace(this.#source, valuePlace(this.#source, path), pathText(path), finding));
  }

  atKey(path: Path, finding: Finding): void {
    this.#problems.push(problemAtPlace(this.#source, keyPlace(this.#source, path), pathText(path), finding));
  }

  add(problems: readonly FleetProblem[]): void {
    this.#problems.push(...problems);
  }

  /** The line of a value, for texts such as "first on line 8". */
  lineOf(path: Path): number {
    return valuePlace(this.#source, path).line;
  }

  get problems(): readonly FleetProblem[] {
    return this.#problems;
  }
}
