import { describe, expect, it } from "vitest";
import { leavePageRoom, takePageRoom } from "./page-room.ts";

describe("room for pages", () => {
  it.each([0, 1, 65_536, 65_537, 200_000, 4 << 20, (4 << 20) + 1])("is enough for %i bytes", (bytes) => {
    expect(takePageRoom(bytes).length).toBeGreaterThanOrEqual(bytes);
  });

  it("is one's alone until it is left, and then the next one's", () => {
    const first = takePageRoom(100_000);
    expect(takePageRoom(100_000)).not.toBe(first);
    leavePageRoom(first);
    expect(takePageRoom(100_001)).toBe(first);
  });

  it("is kept for a few pages of usual length only", () => {
    const usual = [1, 2, 3, 4].map((share) => takePageRoom(share * 1_000_000));
    const long = takePageRoom(5_000_000);
    for (const room of [...usual, long]) leavePageRoom(room);
    const lengths = Array.from({ length: 3 }, () => takePageRoom(1).length);
    expect(lengths).toEqual([4 << 20, 4 << 20, 65_536]);
    expect(takePageRoom(5_000_000) === long).toBe(false);
  });
});
