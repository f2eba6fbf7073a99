/**
 * The series of the last stored page, and those among them that the next page lacks. A page that is like the last one
 * costs no memory: what it has is numbered, not collected.
 */
import type { SeriesRef } from "@pleiad/head";

export interface LiveSeries {
  /** Starts a page. What the one before had counts only if it was committed. */
  begin(): void;
  see(ref: SeriesRef): void;
  /** Forgets what this page had: all that was there before is gone. */
  unsee(): void;
  /** Those of the last stored page that this one lacks. */
  gone(): readonly SeriesRef[];
  /** This page is stored. */
  commit(): void;
  /** This page is not: the last stored one stays as it was. */
  rollback(): void;
}

export function createLiveSeries(): LiveSeries {
  /** The number of the last page that had a series. */
  const pages = new Map<SeriesRef, number>();
  let page = 0;
  /** Those that the last stored page lacked. */
  let added: SeriesRef[] = [];
  let seen = 0;

  function begin(): void {
    page++;
    seen = 0;
  }

  function forgetAdded(): void {
    for (const ref of added) pages.delete(ref);
    added = [];
    // What the page had in common with the last stored one stays, under a number that is no page's any more.
    begin();
  }

  function gone(): readonly SeriesRef[] {
    const refs: SeriesRef[] = [];
    // As a rule none is, and it need not be looked for.
    if (seen === pages.size) return refs;
    pages.forEach((last, ref) => {
      if (last !== page) refs.push(ref);
    });
    return refs;
  }

  return {
    begin,
    see: (ref) => {
      const last = pages.get(ref);
      if (last === page) return;
      if (last === undefined) added.push(ref);
      pages.set(ref, page);
      seen++;
    },
    unsee: forgetAdded,
    gone,
    commit: () => {
      for (const ref of gone()) pages.delete(ref);
      added = [];
    },
    rollback: forgetAdded,
  };
}
