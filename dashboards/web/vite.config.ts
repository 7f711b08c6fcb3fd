import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// The Rust build names a folder outside the source tree; by hand it is `dist`.
const outDir = process.env.ANDON_WEB_OUT ?? "dist";
// `npm run dev` shows the pages of a running Andon.
const api = process.env.ANDON_API ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2023",
    // A strict Content-Security-Policy forbids `data:` addresses, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The layout engine is one large file; it loads in a worker, on the detector page only.
    chunkSizeWarningLimit: 1_700,
  },
  server: { proxy: { "/api": { target: api, ws: true, changeOrigin: false } } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
