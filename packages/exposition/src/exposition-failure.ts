/** Why a page of metrics could not be read: where, what was expected there, what stood there instead. */
import { unreachable } from "@pleiad/model";

export type ExpositionFailure =
  | {
      readonly kind: "syntax";
      readonly line: number; // from 1
      readonly column: number; // in characters, from 1
      readonly expected: string; // "a label name"
      readonly found: string; // quoted text of the page, or "end of line", "end of page"
      readonly hint: string | undefined;
    }
  | {
      readonly kind: "limit";
      readonly of: "body bytes" | "line bytes" | "samples" | "labels" | "label name bytes" | "label value bytes";
      readonly max: number;
      readonly line: number; // 0 where the whole page is over
    }
  | { readonly kind: "content-type"; readonly contentType: string | undefined; readonly hint: string | undefined };

/** One line for people, such as `line 3, column 8: expected a label name, found "1a"`. */
export function formatExpositionFailure(failure: ExpositionFailure): string {
  switch (failure.kind) {
    case "syntax": {
      const place = `line ${failure.line}, column ${failure.column}`;
      return `${place}: expected ${failure.expected}, found ${failure.found}${withHint(failure.hint)}`;
    }
    case "limit": {
      const place = failure.line === 0 ? "" : `line ${failure.line}: `;
      return `${place}more than ${failure.max} ${failure.of}`;
    }
    case "content-type": {
      const found = failure.contentType === undefined ? "none" : JSON.stringify(failure.contentType);
      return `expected Content-Type text/plain or application/openmetrics-text, found ${found}${withHint(failure.hint)}`;
    }
    default:
      return unreachable(failure);
  }
}

function withHint(hint: string | undefined): string {
  return hint === undefined ? "" : ` (${hint})`;
}
