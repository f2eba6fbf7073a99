/** How full a node is while roles are placed, and what of it is kept for roles of other nodes should these be lost. */
import type { FleetNode } from "./fleet.ts";

/** What one replica takes, or a node has for roles. */
export interface Amounts {
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly diskBytes?: number | undefined;
}

export class NodeLoad {
  readonly node: FleetNode;
  readonly hash: number; // of the name
  readonly #whole: Amounts;
  readonly #used = { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 };
  readonly #spareOf = new Map<string, Amounts>(); // by the nodes whose loss brings it here
  #spare: Amounts = nothing;
  readonly #lossesAtOnce: number;

  /** `whole`: what roles may use of the node. `nodesLostMax`: so many other nodes may be lost at once. */
  constructor(node: FleetNode, whole: Amounts, hash: number, nodesLostMax: number) {
    this.node = node;
    this.hash = hash;
    this.#whole = { ...whole, diskBytes: node.diskBytes };
    // As many sets of nodes as lie within those that are lost: all but the empty one.
    this.#lossesAtOnce = 2 ** nodesLostMax - 1;
  }

  add(size: Amounts): void {
    this.#used.cpuMillicores += size.cpuMillicores;
    this.#used.memoryBytes += size.memoryBytes;
    this.#used.diskBytes += size.diskBytes ?? 0;
  }

  /** How full it would be with one more: the larger share of CPU and memory. Above 1 it does not fit. */
  fillWith(size: Amounts): number {
    return Math.max(
      (this.#used.cpuMillicores + size.cpuMillicores) / this.#whole.cpuMillicores,
      (this.#used.memoryBytes + size.memoryBytes) / this.#whole.memoryBytes,
    );
  }

  /** Whether one more fits, what is kept for others not counted. */
  holds(size: Amounts): boolean {
    return this.#fits(size, nothing);
  }

  /** Whether one more fits beside what is kept for others. */
  holdsBesideSpare(size: Amounts): boolean {
    return this.#fits(size, this.#spare);
  }

  /** Whether it could be kept for one more that comes when the nodes of `lost` are gone. */
  couldSpare(lost: string, size: Amounts): boolean {
    return this.#fits(nothing, this.#spareWith(lost, size));
  }

  spare(lost: string, size: Amounts): void {
    this.#spareOf.set(lost, sumOf(this.#spareOf.get(lost) ?? nothing, size));
    this.#spare = spareFor([...this.#spareOf.values()], this.#lossesAtOnce);
  }

  #spareWith(lost: string, size: Amounts): Amounts {
    const others = [...this.#spareOf].flatMap(([key, one]) => (key === lost ? [] : [one]));
    return spareFor([...others, sumOf(this.#spareOf.get(lost) ?? nothing, size)], this.#lossesAtOnce);
  }

  #fits(size: Amounts, spare: Amounts): boolean {
    const [used, whole] = [this.#used, this.#whole];
    return (
      used.cpuMillicores + size.cpuMillicores + spare.cpuMillicores <= whole.cpuMillicores &&
      used.memoryBytes + size.memoryBytes + spare.memoryBytes <= whole.memoryBytes &&
      used.diskBytes + (size.diskBytes ?? 0) + (spare.diskBytes ?? 0) <= (whole.diskBytes ?? 0)
    );
  }
}

const nothing: Amounts = { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 };

/** The most that `atOnce` of them take together, each amount by itself: enough for any of them. */
function spareFor(all: readonly Amounts[], atOnce: number): Amounts {
  const most = (amountOf: (one: Amounts) => number) =>
    all
      .map(amountOf)
      .sort((a, b) => b - a)
      .slice(0, atOnce)
      .reduce((sum, amount) => sum + amount, 0);
  return {
    cpuMillicores: most((one) => one.cpuMillicores),
    memoryBytes: most((one) => one.memoryBytes),
    diskBytes: most((one) => one.diskBytes ?? 0),
  };
}

function sumOf(a: Amounts, b: Amounts): Amounts {
  return {
    cpuMillicores: a.cpuMillicores + b.cpuMillicores,
    memoryBytes: a.memoryBytes + b.memoryBytes,
    diskBytes: (a.diskBytes ?? 0) + (b.diskBytes ?? 0),
  };
}
