import { expect, it } from "vitest";
import { parseRange } from "./byte-range.ts";
import { S3Error } from "./s3-error.ts";

it.each<readonly [string | undefined, number, string]>([
  [undefined, 10, "whole"],
  ["bytes=0-4", 10, "0+5"],
  ["bytes=5-", 10, "5+5"],
  ["bytes=9-9", 10, "9+1"],
  ["bytes=0-99", 10, "0+10"],
  ["bytes=-3", 10, "7+3"],
  ["bytes=-99", 10, "0+10"],
  ["bytes=10-", 10, "InvalidRange"],
  ["bytes=10-20", 10, "InvalidRange"],
  ["bytes=-0", 10, "InvalidRange"],
  ["bytes=0-", 0, "InvalidRange"],
  ["bytes=-5", 0, "InvalidRange"],
  ["bytes=5-2", 10, "whole"],
  ["bytes=-", 10, "whole"],
  ["bytes=0-1,3-4", 10, "whole"],
  ["lines=0-1", 10, "whole"],
])("%s of %d bytes is %s", (header, sizeBytes, expected) => {
  let found: string;
  try {
    const range = parseRange(header, sizeBytes);
    found = range === undefined ? "whole" : `${range.offset}+${range.length}`;
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    found = error.code;
  }
  expect(found).toBe(expected);
});
