import { describe, expect, it } from "vitest";
import { cpuStep, memoryStep } from "./role-sizes.ts";

describe("sizes in steps that people use, never below what is needed", () => {
  for (const [millicores, stepped] of [
    [0, 50],
    [1, 50],
    [50, 50],
    [51, 100],
    [999, 1000],
    [1001, 1250],
    [3999, 4000],
    [4001, 5000],
  ] as const) {
    it(`${millicores}m: ${stepped}m`, () => expect(cpuStep(millicores)).toBe(stepped));
  }

  const mebibyte = 2 ** 20;
  for (const [mebibytes, stepped] of [
    [0, 64],
    [1, 64],
    [65, 128],
    [512, 512],
    [513, 576],
    [1024, 1024],
    [1025, 1152],
    [5000, 5120],
    [30_000, 30_720],
  ] as const) {
    it(`${mebibytes} MiB: ${stepped} MiB`, () => expect(memoryStep(mebibytes * mebibyte) / mebibyte).toBe(stepped));
  }

  it("rise with what is needed", () => {
    for (let need = 1; need < 20_000; need += 7) {
      expect(cpuStep(need + 7)).toBeGreaterThanOrEqual(cpuStep(need));
      expect(cpuStep(need)).toBeGreaterThanOrEqual(need);
      expect(memoryStep((need + 7) * mebibyte)).toBeGreaterThanOrEqual(memoryStep(need * mebibyte));
    }
  });
});
