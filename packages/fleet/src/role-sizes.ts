/** How large one replica of each role is: as the file says, else as the capacity model does, in steps that people use. */
import { definitions, type CapacityModel, type CapacityScope } from "@pleiad/capacity";
import type { Fleet, FleetRole } from "./fleet.ts";

export interface RoleSize {
  readonly shards: number;
  readonly cpuMillicores: number; // of one replica
  readonly memoryBytes: number;
  readonly diskBytes: number | undefined; // undefined = it needs none of its node's
  readonly sizedBy: "file" | "model";
}

/** The size of a role in a region, or in the fleet where `region` is undefined. */
export type RoleSizes = (role: FleetRole, region: string | undefined) => RoleSize;

/** Sizes by the model, which is asked only for what the file leaves out. */
export function roleSizes({ regions }: Fleet, model: CapacityModel): RoleSizes {
  const scopeOf = new Map<string, CapacityScope>(model.regions.map((scope) => [scope.name, scope]));
  if (scopeOf.size < regions.length) throw new Error("the model is of another fleet");
  return (role, region) => {
    const scope = role.scope === "region" ? (scopeOf.get(region ?? "") ?? model.fleet) : model.fleet;
    const figure = (what: string) => scope.figure(`${role.key}.${what}`).value;
    const isWhole = role.cpuMillicores !== undefined && role.memoryBytes !== undefined;
    return {
      shards: role.shards ?? figure("shards"),
      cpuMillicores: role.cpuMillicores ?? cpuStep(figure("cpu") * 1000),
      memoryBytes: role.memoryBytes ?? memoryStep(figure("memory")),
      diskBytes: role.diskBytes ?? (isWhole ? undefined : modelledDisk(role, figure)),
      sizedBy: isWhole ? "file" : "model",
    };
  };
}

/** The disks of an object store are the bucket's own: `objectStorage.capacity` has them. */
function modelledDisk({ key }: FleetRole, figure: (what: string) => number): number | undefined {
  if (key === "object-store" || !definitions.has(`${key}.disk`)) return undefined;
  const bytes = figure("disk");
  return bytes === 0 ? undefined : memoryStep(bytes);
}

/** Up to the next 50m below a core, quarter below four, whole core above. */
export function cpuStep(millicores: number): number {
  const step = millicores <= 1000 ? 50 : millicores <= 4000 ? 250 : 1000;
  return Math.max(step, Math.ceil(millicores / step - 1e-9) * step);
}

const mebibyte = 2 ** 20;

/** Up to the next 64 MiB below half a GiB, then to the next eighth of the power of two below. */
export function memoryStep(bytes: number): number {
  const step = Math.max(64 * mebibyte, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.max(step, Math.ceil(bytes / step - 1e-9) * step);
}
