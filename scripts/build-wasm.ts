/**
 * Compiles the AssemblyScript of the packages into modules that hold WebAssembly as text, since nothing below the edges
 * reads files: `node scripts/build-wasm.ts`. What it writes is checked in, and a test compares it with its source.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";

const root = fileURLToPath(new URL("..", import.meta.url));

export interface WasmModule {
  readonly source: string; // in the repository
  readonly target: string;
  readonly constant: string; // the name under which the target exports its text
}

export const wasmModules: readonly WasmModule[] = [
  {
    source: "packages/chunks/assembly/xor-bulk.ts",
    target: "packages/chunks/src/xor-bulk.wasm.ts",
    constant: "xorBulkWasm",
  },
  {
    source: "packages/promql-exec/assembly/leaf-kernels.ts",
    target: "packages/promql-exec/src/leaf-kernels.wasm.ts",
    constant: "leafKernelsWasm",
  },
  {
    source: "packages/http-api/assembly/sample-text.ts",
    target: "packages/http-api/src/sample-text.wasm.ts",
    constant: "sampleTextWasm",
  },
];

/** The memory comes from the host and may be shared; there is no runtime, no static data and no import but the memory. */
const compilerFlags = [
  ...["-O3", "--converge", "--noAssert", "--runtime", "stub", "--use", "abort="],
  ...["--enable", "simd", "--enable", "threads"],
  ...["--importMemory", "--noExportMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
];

/** The text of the target of a module, compiled from its source. */
export async function compileWasm({ source, constant }: WasmModule): Promise<string> {
  let binary: Uint8Array | undefined;
  let words = "";
  const { error } = await asc.main([source, ...compilerFlags, "--outFile", "out.wasm"], {
    readFile: async (path: string) => await readFile(`${root}${path}`, "utf8").catch(() => null),
    writeFile: (path: string, content: string | Uint8Array) => {
      if (path === "out.wasm" && typeof content !== "string") binary = content;
    },
    listFiles: () => [],
    stderr: { write: (text) => void (words += String(text)) },
  });
  if (error !== null || words !== "" || binary === undefined) throw new Error(`${source}: ${words}${String(error)}`);
  const lines =
    Buffer.from(binary)
      .toString("base64")
      .match(/.{1,110}/g) ?? [];
  return [
    `/** WebAssembly in base64, compiled from ${source} by scripts/build-wasm.ts. */`,
    `export const ${constant} =`,
    `  ${lines.map((line) => JSON.stringify(line)).join(" +\n  ")};`,
    "",
  ].join("\n");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const module of wasmModules) await writeFile(`${root}${module.target}`, await compileWasm(module));
}
