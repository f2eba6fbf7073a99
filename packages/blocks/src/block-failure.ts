/** Why a block cannot be read or written. */
export type BlockFailure =
  /** Bytes that are not what the format says; `offset` is into the file named. */
  | {
      readonly kind: "corrupt";
      readonly block: string;
      readonly file: string;
      readonly offset: number;
      readonly reason: string;
    }
  | { readonly kind: "unsupported"; readonly block: string; readonly reason: string }
  /** Files or bucket failed. */
  | { readonly kind: "unavailable"; readonly block: string; readonly cause: unknown }
  | { readonly kind: "limit"; readonly block: string; readonly of: "series" | "chunks" | "bytes"; readonly max: number }
  | { readonly kind: "canceled"; readonly block: string };
