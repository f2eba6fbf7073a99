/** Why bytes are not the message that they were read as. */
export interface WireFailure {
  readonly kind: "malformed";
  readonly offset: number; // in the message, where the reader stopped
  readonly reason: string;
}

export function formatWireFailure(failure: WireFailure): string {
  return `${failure.reason} at byte ${failure.offset}`;
}
