/** The parameters of a request: those of the form body first, then those of the query string, as Go merges them. */
import { fail, ok, type Result } from "@pleiad/model";
import type { HttpRequest } from "@pleiad/ports";
import { badData, type ApiFailure } from "./envelope.ts";

export interface RequestForm {
  /** The first value, "" where there is none. */
  first(name: string): string;
  all(name: string): readonly string[];
  /** The names that there are, in the order of their first value. */
  names(): readonly string[];
}

export const queryBytesMax = 65_536;
export const formBytesMax = 1_048_576;

const formType = "application/x-www-form-urlencoded";

export function readForm(request: HttpRequest): Result<RequestForm, ApiFailure> {
  if (request.query.length > queryBytesMax) {
    return fail({ ...badData(`the URL is over ${queryBytesMax} bytes: send the parameters by POST`), status: 414 });
  }
  const values = new Map<string, string[]>();
  if (request.method === "POST" && request.body.length > 0) {
    if (request.body.length > formBytesMax) {
      return fail({ ...badData(`the request body is over ${formBytesMax} bytes`), status: 413 });
    }
    const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
    if (type !== formType) {
      return fail(badData(`content type ${JSON.stringify(type)} is not read here: send ${formType}`));
    }
    const body = readPairs(new TextDecoder().decode(request.body), values);
    if (body !== undefined) return fail(body);
  }
  const query = readPairs(request.query, values);
  if (query !== undefined) return fail(query);
  return ok({
    first: (name) => values.get(name)?.[0] ?? "",
    all: (name) => values.get(name) ?? [],
    names: () => [...values.keys()],
  });
}

function readPairs(text: string, into: Map<string, string[]>): ApiFailure | undefined {
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decodeFormText(equals < 0 ? pair : pair.slice(0, equals));
    const value = decodeFormText(equals < 0 ? "" : pair.slice(equals + 1));
    if (name === undefined || value === undefined) {
      return badData(`error parsing form values: invalid URL escape in ${JSON.stringify(pair.slice(0, 80))}`);
    }
    const known = into.get(name);
    if (known === undefined) into.set(name, [value]);
    else known.push(value);
  }
  return undefined;
}

/** Undefined where a percent escape is broken, or does not make UTF-8. */
function decodeFormText(text: string): string | undefined {
  if (!/[+%]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
