/** Where everything stands in a fleet file, so that a problem found late still has line and column. */

export interface Place {
  readonly line: number; // from 1
  readonly column: number; // from 1
  readonly length: number; // at least 1, within the line
}

/** Keys of the maps are paths as `pathText` writes them. */
export interface FleetSource {
  readonly fileName: string;
  readonly lines: readonly string[];
  readonly keyPlaces: ReadonlyMap<string, Place>;
  readonly valuePlaces: ReadonlyMap<string, Place>;
}

export type Path = readonly (string | number)[];

export const startOfFile: Place = { line: 1, column: 1, length: 1 };

/** `regions.a1.clusters[0]` */
export function pathText(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

/** The place of a value, or of the nearest thing around it that the file has. */
export function valuePlace(source: FleetSource, path: Path): Place {
  return source.valuePlaces.get(pathText(path)) ?? aroundPlace(source, path);
}

/** The place of a key, or of the nearest thing around it that the file has. */
export function keyPlace(source: FleetSource, path: Path): Place {
  return source.keyPlaces.get(pathText(path)) ?? source.valuePlaces.get(pathText(path)) ?? aroundPlace(source, path);
}

function aroundPlace(source: FleetSource, path: Path): Place {
  return path.length === 0 ? startOfFile : keyPlace(source, path.slice(0, -1));
}
