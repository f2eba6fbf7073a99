/** `thanos.shipper.json`: which blocks of a folder are in the bucket, as Thanos keeps it. */
import { isUlid } from "@pleiad/blocks";
import { fail, ok, type Result } from "@pleiad/model";

export const shipperMetaName = "thanos.shipper.json";

const version = 1;

/** The names of the blocks; why the file tells none. */
export function parseShipperMeta(bytes: Uint8Array): Result<readonly string[], string> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return fail("this is no JSON");
  }
  if (typeof json !== "object" || json === null) return fail("this is no object");
  const { version: found, uploaded } = json as { readonly version?: unknown; readonly uploaded?: unknown };
  if (found !== version) return fail(`version ${String(found)}; read is ${version}`);
  // Thanos writes null for none.
  const names: unknown = uploaded ?? [];
  if (!Array.isArray(names)) return fail("`uploaded` is no list");
  return ok(names.filter((name): name is string => typeof name === "string" && isUlid(name)));
}

export function formatShipperMeta(uploaded: readonly string[]): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ version, uploaded }, null, "\t")}\n`);
}
