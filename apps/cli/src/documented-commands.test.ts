/** Every `pleiad` command line that a document shows, held against the commands themselves: they are there, with those flags. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { pleiadProgram } from "./program.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const documents = [
  "README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join("docs", path)),
];

/** The words after `pleiad` in every line of shell, continued lines joined, comments and what is piped on taken off. */
function commandLinesOf(text: string): readonly (readonly string[])[] {
  return [...text.matchAll(/^```(?:sh|console|bash)\n(.*?)^```/gms)]
    .flatMap(([, block = ""]) => block.replaceAll(/\\\n\s*/g, " ").split("\n"))
    .flatMap((line) => {
      const [, start, rest] = /^(?:\$ )?(npm run pleiad --|npm start --|pleiad)(?= |$)(.*)$/.exec(line) ?? [];
      if (start === undefined || rest === undefined) return [];
      return [[...(start === "npm start --" ? ["up"] : []), ...wordsOf(rest)]];
    });
}

function wordsOf(text: string): readonly string[] {
  const words = [...text.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word);
  const end = words.findIndex((word) => /^(?:#|[|&;<>])/.test(word));
  return end === -1 ? words : words.slice(0, end);
}

/** What is wrong with the words, the first thing only. */
function faultOf(program: Command, words: readonly string[]): string | undefined {
  let command = program;
  let at = 0;
  for (; at < words.length; at++) {
    const next = command.commands.find((one) => one.name() === words[at]);
    if (next === undefined) break;
    command = next;
  }
  const word = words[at];
  if (word === "--help") return undefined;
  if (command.commands.length === 0) return faultOfWords(command, words.slice(at));
  return word === undefined || word === "--version" ? undefined : `no command ${word}`;
}

function faultOfWords(command: Command, words: readonly string[]): string | undefined {
  const given = new Set(command.options.filter(({ mandatory }) => !mandatory).map((option) => option.attributeName()));
  let argumentCount = 0;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!word.startsWith("-") || word === "-") {
      argumentCount++;
      continue;
    }
    const [flag = "", value] = word.split("=", 2);
    const option = command.options.find((one) => one.long === flag || one.short === flag);
    if (option === undefined) return `${command.name()} has no ${flag}`;
    given.add(option.attributeName());
    if (option.required && value === undefined) at++;
    if (option.argChoices !== undefined && !option.argChoices.includes(value ?? words[at] ?? "")) {
      return `${flag} takes ${option.argChoices.join(", ")}`;
    }
  }
  const missing = command.options.find((option) => !given.has(option.attributeName()));
  if (missing !== undefined) return `${command.name()} needs ${missing.flags}`;
  const { registeredArguments } = command;
  const isVariadic = registeredArguments.some(({ variadic }) => variadic);
  if (argumentCount < registeredArguments.filter(({ required }) => required).length) return "an argument is missing";
  return argumentCount > registeredArguments.length && !isVariadic ? "there is an argument too many" : undefined;
}

describe("command lines in documents", async () => {
  const program = await pleiadProgram();
  for (const path of documents) {
    const lines = commandLinesOf(readFileSync(join(root, path), "utf8"));
    if (lines.length === 0) continue;
    it(`${path}: its ${lines.length} can be given`, () => {
      expect(lines.flatMap((words) => faultOf(program, words)?.concat(`: pleiad ${words.join(" ")}`) ?? [])).toEqual(
        [],
      );
    });
  }

  it("production.md names no flag in its text that rendering or certificates do not have", () => {
    const guide = readFileSync(join(root, "docs/guide/production.md"), "utf8");
    const commands = program.commands.filter((command) =>
      ["render", "diff", "certs", "apply"].includes(command.name()),
    );
    const known = new Set(commands.flatMap(({ options }) => options.map(({ long }) => long)));
    expect([...guide.matchAll(/`(--[a-z-]+)/g)].map(([, flag]) => flag).filter((flag) => !known.has(flag))).toEqual([]);
  });

  it("are judged", () => {
    const faults = ["nothing", "plan --nothing", "lint --format pdf", "grow", "query", "plan a b", "cluster join a"];
    expect(faults.map((line) => faultOf(program, line.split(" ")))).toEqual([
      "no command nothing",
      "plan has no --nothing",
      "--format takes text, json, sarif",
      "grow needs --clusters <count,...>",
      "an argument is missing",
      "there is an argument too many",
      "no command join",
    ]);
  });
});
