/**
 * The pages. Every `static/NAME/index.html` is one, built to `dist/static/NAME/` and served by the
 * server at `/static/NAME/`.
 */
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const root = fileURLToPath(new URL("static", import.meta.url));
const pages = readdirSync(root)
  .map((name) => `${root}/${name}/index.html`)
  .filter((page) => existsSync(page));

export default defineConfig({
  root,
  base: "/static/",
  build: {
    outDir: "../dist/static",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: true,
    assetsInlineLimit: 0, // the server's Content-Security-Policy allows no data: URLs
    modulePreload: { polyfill: false }, // every browser that runs the pages has it
    license: { fileName: "licenses.md" }, // of what is bundled, which asks to be named
    rolldownOptions: { input: pages },
  },
});
