import { defineConfig } from "vitest/config";

// Whole-system tests start tens of processes: they run after the rest, one file at a time.
export default defineConfig({
  test: {
    reporters: ["default", "./scripts/plain-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["{packages,roles,apps}/*/src/**/*.test.ts", "scripts/*.test.ts", "bench/*.test.ts"],
          environment: "node",
          // For a machine with other work. No test measures time.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["e2e/*.test.ts"],
          environment: "node",
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
