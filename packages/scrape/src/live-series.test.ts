import type { SeriesRef } from "@pleiad/head";
import { describe, expect, it } from "vitest";
import { createLiveSeries } from "./live-series.ts";

describe("live series", () => {
  // Each page: the series that it has, what becomes of it, and which series are gone when it has been read.
  it.each([
    ["nothing is gone from the first page", [["ab", "commit", ""]]],
    [
      "what the next page lacks is gone, once",
      [
        ["ab", "commit", ""],
        ["b", "commit", "a"],
        ["b", "commit", ""],
      ],
    ],
    [
      "what came back can go again",
      [
        ["ab", "commit", ""],
        ["b", "commit", "a"],
        ["ab", "commit", ""],
        ["b", "commit", "a"],
      ],
    ],
    [
      "a page that is not stored changes nothing",
      [
        ["ab", "commit", ""],
        ["bc", "rollback", "a"],
        ["bc", "commit", "a"],
        ["b", "commit", "c"],
      ],
    ],
    [
      "of a page that is forgotten everything is gone",
      [
        ["ab", "commit", ""],
        ["bc", "unsee", "ab"],
        ["c", "commit", ""],
      ],
    ],
    [
      "a forgotten page that is not stored either changes nothing",
      [
        ["ab", "commit", ""],
        ["bc", "unsee and rollback", "ab"],
        ["a", "commit", "b"],
      ],
    ],
  ] as const)("%s", (_, pages) => {
    const live = createLiveSeries();
    for (const [has, end, goneText] of pages) {
      live.begin();
      for (const name of has) live.see(name.charCodeAt(0) as SeriesRef);
      if (end.startsWith("unsee")) live.unsee();
      expect(String.fromCharCode(...live.gone())).toBe(goneText);
      if (end.endsWith("rollback")) live.rollback();
      else live.commit();
    }
  });
});
