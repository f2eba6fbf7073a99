import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseCacheConfig } from "@pleiad/role-query-frontend";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { addQueryFrontendCommand } from "./query-frontend.ts";

const guide = readFileSync(fileURLToPath(new URL("../../../../docs/guide/query-frontend.md", import.meta.url)), "utf8");

describe("the guide of the query frontend", () => {
  const files = [...guide.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = ""]) => text);

  it("has a file for each kind of cache", () => {
    expect(files.map((text) => (parse(text) as { type: string }).type)).toEqual(["IN-MEMORY", "REDIS", "MEMCACHED"]);
  });

  for (const text of files) {
    it("has files that are read without a problem", () => {
      expect(parseCacheConfig(parse(text))).toMatchObject({ ok: true });
    });
  }

  it("names only flags that there are", () => {
    const program = new Command();
    addQueryFrontendCommand(program);
    const flags = program.commands[0]?.options.map(({ long }) => long) ?? [];
    const named = [...guide.matchAll(/--(?:no-)?(?:query|http)[a-z.-]+/g)].map(([flag]) => flag);
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((flag) => !flags.includes(flag))).toEqual([]);
  });
});
