import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runFileSystemAcceptance } from "@pleiad/ports/acceptance";
import { nodeFiles } from "./node-files.ts";

runFileSystemAcceptance("node", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pleiad-files-"));
  return { files: nodeFiles(), directory, close: () => rm(directory, { recursive: true }) };
});
