/** What is shown of a kubectl that failed. */
import { expect, it } from "vitest";
import { failureInOneLine } from "./kubectl-apply.ts";

const logged =
  'E0102 15:04:05.000000 7 memcache.go:265] "Unhandled Error" err="couldn\'t get current server API group list"';
const refused = "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?";
const noPlugin = "Unable to connect to the server: getting credentials: exec: executable login not found";

it.each([
  ["its only line", 'error: context "shop-1" does not exist', 'error: context "shop-1" does not exist'],
  ["what came of all it tried", [logged, logged, refused].join("\n"), refused],
  ["the error, not the advice after it", `${noPlugin}\n\nIt looks like a plugin is missing.\n  a page`, noPlugin],
  ["why it was ended, after what it logged", `${logged}\nno end within 30 s`, "no end within 30 s"],
  [
    "the exception of a program, not the source it was thrown in",
    "node:fs:1\n  binding.rename(\n  ^\n\nError: ENOENT: no such file\n    at main (a.js:1)\n\nNode.js v24",
    "Error: ENOENT: no such file",
  ],
  ["nothing where it said nothing", "", ""],
])("of many lines shows %s", (_, failure, line) => expect(failureInOneLine(failure)).toBe(line));
