/** The built pages: `/static/NAME/` and what they load. */
import { fileURLToPath } from "node:url";
import { serveStatic } from "@hono/node-server/serve-static";
import type { Router } from "./door.ts";
import { PushError } from "./errors.ts";
import type { Bindings } from "./wire/upgrade.ts";

const BUILT = fileURLToPath(new URL("../static", import.meta.url));

/** The browser gets everything from here and from nowhere else. */
const CONTENT_SECURITY_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'";

type Serve = ReturnType<typeof serveStatic<{ Bindings: Bindings }>>;

export interface Pages {
  /** Answers `/` and `/static/*` by the file of this path. */
  readonly files: Serve;
  /** Answers any path by one page. */
  readonly page: (name: string) => Serve;
}

/** @param folder where the pages were built, if not beside the server */
export function openPages(router: Router, folder = BUILT): Pages {
  const serve = (pathOf: (path: string) => string): Serve =>
    serveStatic({
      root: folder,
      rewriteRequestPath: pathOf,
      onFound: (path, c) => {
        c.header("Content-Security-Policy", CONTENT_SECURITY_POLICY);
        c.header("X-Content-Type-Options", "nosniff");
        // Built names carry a hash of the content; the pages themselves do not.
        const immutable = path.includes("/assets/");
        c.header("Cache-Control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
      },
    });
  const files = serve((path) => path.replace(/^\/static/, ""));
  router.get("/static/:page{[^./]+}", (c) => c.redirect(`${c.req.path}/`, 301));
  router.get("/static/*", files, () => {
    throw new PushError("not_found", "not found");
  });
  return { files, page: (name) => serve(() => `/${name}/index.html`) };
}
