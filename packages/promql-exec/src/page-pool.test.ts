import { expect, it } from "vitest";
import { createPagePool, pageBytes } from "./page-pool.ts";

it("a page that was given back is taken again, up to as many as are kept", () => {
  const pool = createPagePool(2);
  const pages = [pool.take(), pool.take(), pool.take()];
  expect(new Set(pages).size).toBe(3);
  pool.give(new ArrayBuffer(8)); // none of its own
  for (const page of pages) pool.give(page);
  const again = [pool.take(), pool.take(), pool.take()];
  expect(again.every(({ byteLength }) => byteLength === pageBytes)).toBe(true);
  expect(again.filter((page) => pages.includes(page))).toHaveLength(2);
});
