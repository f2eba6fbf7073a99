import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { compileWasm, wasmModules } from "./build-wasm.ts";

it.each(wasmModules)("$target is what $source compiles to", { timeout: 60_000 }, async (module) => {
  const checkedIn = await readFile(new URL(`../${module.target}`, import.meta.url), "utf8");
  expect(await compileWasm(module)).toBe(checkedIn);
});
