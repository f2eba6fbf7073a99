import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    name: "swift",
    include: ["e2e/swift/*.test.ts"],
    environment: "node",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["default", "./scripts/plain-reporter.ts"],
  },
});
