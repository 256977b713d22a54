/**
 * The pages. `static/index.html` and every `static/NAME/index.html` is one, built to `dist/static/`
 * and served by the server at `/` and `/static/NAME/`.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const root = fileURLToPath(new URL("static", import.meta.url));
const pages = ["", ...readdirSync(root).map((name) => `${name}/`)]
  .map((name) => `${root}/${name}index.html`)
  .filter((page) => existsSync(page));

/** Puts the links to all pages where a page says `<!-- nav -->`, and marks the one to itself. */
function navigation(): Plugin {
  const links = readFileSync(`${root}/shared/nav.html`, "utf8").trim();
  return {
    name: "navigation",
    transformIndexHtml: {
      order: "pre", // before Vite looks for what the page loads
      handler: (html, { path }) => {
        const here = path === "/index.html" ? "/" : `/static${dirname(path)}/`;
        const marked = links.replace(`href="${here}"`, `$& aria-current="page"`);
        return html.replace("<!-- nav -->", () => marked);
      },
    },
  };
}

export default defineConfig({
  root,
  base: "/static/",
  plugins: [navigation()],
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
