import { defineConfig } from "vite";

const runningTwin = "http://127.0.0.1:19000";

export default defineConfig({
  root: import.meta.dirname,
  build: { outDir: "dist", emptyOutDir: true, target: "es2023", reportCompressedSize: false },
  server: { proxy: { "/console": runningTwin, "/api": runningTwin } },
});
