/** Which bytes a Range header asks for. */
import { S3Error } from "./s3-error.ts";

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * The bytes of an object of `sizeBytes`; undefined for the whole: without a header, and for one of another form or of
 * several ranges, which S3 ignores. Throws S3Error InvalidRange where none of the bytes exist.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const [, first = "", last = ""] = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), sizeBytes);
    if (length === 0) throw unsatisfiable();
    return { offset: sizeBytes - length, length };
  }
  const offset = Number(first);
  const end = last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (last !== "" && Number(last) < offset) return undefined;
  if (offset >= sizeBytes) throw unsatisfiable();
  return { offset, length: end - offset };
}

function unsatisfiable(): S3Error {
  return new S3Error("InvalidRange", "The requested range is not satisfiable.");
}
