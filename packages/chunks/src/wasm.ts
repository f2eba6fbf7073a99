/**
 * The part of WebAssembly that is used here: modules without static data on a memory that the caller has. TypeScript
 * declares it with the browser's library only.
 */

/** A memory that several threads can have at once: `postMessage` shares it. */
export interface SharedMemory {
  /** All of it. Made anew by `grow`: views of the old one stay valid, and as short as they were. */
  readonly buffer: SharedArrayBuffer;
  /** Adds pages of 64 KiB; throws a RangeError above the maximum. Gives how many there were. */
  grow(pages: number): number;
}

export const memoryPageBytes = 65_536;

export type WasmFunction = (...numbers: number[]) => number;

interface WebAssemblyPart {
  readonly Memory: new (options: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => SharedMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: SharedMemory } },
  ) => { readonly exports: Readonly<Record<string, WasmFunction>> };
}

const { Memory, Module, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyPart }).WebAssembly;

/** Pages of 64 KiB, all zero. What is above `initialPages` takes address space only. */
export function createSharedMemory(initialPages: number, pagesMax: number): SharedMemory {
  return new Memory({ initial: initialPages, maximum: pagesMax, shared: true });
}

/** The functions of a module in base64, on `memory`. Compiles it anew: some milliseconds, so once a thread. */
export function instantiateWasm(base64: string, memory: SharedMemory): Readonly<Record<string, WasmFunction>> {
  const bytes = Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));
  return new Instance(new Module(bytes), { env: { memory } }).exports;
}
