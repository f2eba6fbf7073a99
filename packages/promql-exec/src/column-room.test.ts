import { expect, it } from "vitest";
import { createColumnRoom } from "./column-room.ts";
import { createPagePool, pageBytes } from "./page-pool.ts";

it("columns keep apart, whatever their lengths are", () => {
  const room = createColumnRoom(createPagePool(4));
  const lengths = [0, 1, 240, 240, 5000, pageBytes / 8, pageBytes, 3];
  const columns = lengths.map((length, i) => room.take(length).fill(i));
  expect(columns.map((column) => column.length)).toEqual(lengths);
  for (const [i, column] of columns.entries()) expect(column.every((value) => value === i)).toBe(true);
});

it("pages go back once, and columns of later queries may lie on them", () => {
  const pool = createPagePool(8);
  const room = createColumnRoom(pool);
  const before = new Set(Array.from({ length: 20 }, () => room.take(pageBytes / 8).buffer));
  room.release();
  room.release();
  const after = Array.from({ length: 20 }, () => pool.take());
  expect(new Set(after).size).toBe(20);
  expect(after.filter((page) => before.has(page)).length).toBe(8);
});
