import type { SeriesCursor, SourceFailure, SourceSeries } from "@pleiad/model";

/** A cursor that gives what another one gave, or gives, and ends as that one does. A class for its getters: see `late-operator`. */
export class FollowingCursor implements SeriesCursor {
  readonly #followed: SeriesCursor;
  readonly next: () => Promise<readonly SourceSeries[] | undefined>;
  readonly close: () => void;

  constructor(followed: SeriesCursor, { next, close }: Pick<SeriesCursor, "next" | "close">) {
    this.#followed = followed;
    this.next = next;
    this.close = close;
  }

  get failure(): SourceFailure | undefined {
    return this.#followed.failure;
  }

  get warnings(): readonly string[] {
    return this.#followed.warnings;
  }
}
