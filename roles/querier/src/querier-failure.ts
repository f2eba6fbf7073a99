/** Why a querier did not start. `message` is a sentence for people and names what to change. */
export interface QuerierFailure {
  readonly kind: "address" | "endpoints";
  readonly message: string;
}
