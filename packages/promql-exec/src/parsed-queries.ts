/** Queries as they were read, by their text: dashboards ask the same again and again, and so does a tier above of every cluster. */
import type { Result } from "@pleiad/model";
import { parseExpression, type Expression, type ParseFailure, type ParseOptions } from "@pleiad/promql-syntax";

export type QueryReader = (text: string) => Result<Expression, ParseFailure>;

const textsMax = 256;
/** Longer ones are rare, and mostly asked once. */
const textLengthMax = 4096;

/** Reads queries with these options; trees of the texts that were read last are kept, and shared: nobody changes them. */
export function createQueryReader(options: Partial<ParseOptions>): QueryReader {
  const read = new Map<string, Result<Expression, ParseFailure>>();
  return (text) => {
    const known = read.get(text);
    if (known !== undefined) return known;
    const result = parseExpression(text, options);
    if (text.length <= textLengthMax) {
      read.set(text, result);
      for (const [oldest] of read) {
        if (read.size <= textsMax) break;
        read.delete(oldest);
      }
    }
    return result;
  };
}
