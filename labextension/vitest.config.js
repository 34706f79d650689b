import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // the panel's files lie beside the Python that sends them, not in here
  root: fileURLToPath(new URL("..", import.meta.url)),
  cacheDir: fileURLToPath(new URL("node_modules/.vite", import.meta.url)),
  test: { environment: "jsdom", include: ["labextension/tests/*.test.js"] },
});
