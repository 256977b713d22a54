/**
 * Every route of the server, one line each. Checks at the door come first: a bad request is an HTTP
 * status or a refused handshake, never a 200 with a broken body.
 */
import { fileURLToPath } from "node:url";
import { serveStatic } from "@hono/node-server/serve-static";
import { type Context, Hono } from "hono";
import { accepts } from "hono/accepts";
import { ERRORS, PushError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import type { Limits } from "./limits.ts";
import { type Caller, checkHost, checkOrigin, type OriginRules } from "./origin.ts";
import { Publishing } from "./publishing.ts";
import { topicRoutes } from "./topics.ts";
import { answerBatch } from "./transports/rpc/batch.ts";
import { RpcSessions } from "./transports/rpc/sessions.ts";
import { farewell } from "./transports/sse.ts";
import { readBody } from "./wire/body.ts";
import { EVENT_STREAM } from "./wire/event-stream.ts";
import { STREAM_HEADERS } from "./wire/http-stream.ts";
import { refuseMethod } from "./wire/method.ts";
import { acceptSocket, type Bindings, isHandshake } from "./wire/upgrade.ts";

export interface AppOptions extends OriginRules {
  /** Milliseconds between two samples of the system metrics. */
  metricsIntervalMs?: number;
  /** What a client has to show to publish. Without one nobody may publish over the network. */
  publishToken?: string | undefined;
  /** The folder of the built pages. */
  pages?: string;
  /** Routes of your own, behind the same checks. What it returns is closed with the app. */
  routes?: (router: Router) => Closable | void;
}

export type Router = Hono<{ Bindings: Bindings }>;

export interface Closable {
  /** Tells every client why; `reason` gives each another time to come back. */
  close(reason: () => PushError): void;
}

export interface App {
  readonly fetch: Router["fetch"];
  /** Those of its hub; `listen` keeps some of them. */
  readonly limits: Limits;
  /** `listen` tells it whether only this machine can reach it; an option given by hand wins. */
  listensOn(address: { loopback: boolean }): void;
  /** Tells every client that the server stops, each when to come back: 0 to `graceMs` from now. */
  close(options?: { graceMs?: number; random?: () => number }): Promise<void>;
  stats(): ReturnType<Hub["stats"]> & ReturnType<RpcSessions["stats"]>;
}

const PAGES = fileURLToPath(new URL("../static", import.meta.url));

/** The browser gets everything from here and from nowhere else. */
const CONTENT_SECURITY_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'";

type AppContext = Context<{ Bindings: Bindings }>;

export function createApp(hub: Hub, options: AppOptions = {}): App {
  const { metricsIntervalMs = 1_000, pages = PAGES, publishToken, routes } = options;
  const publishing = new Publishing(hub, { token: publishToken });
  const api = { metricsIntervalMs, publishing };
  const sessions = new RpcSessions(hub, api);
  const app: Router = new Hono();
  const rules = { ...options };
  let closing: (() => PushError) | undefined;

  app.onError((error, c) => errorAnswer(c, error, hub));
  app.notFound((c) => errorAnswer(c, new PushError("not_found", "not found"), hub));
  app.use((c: AppContext, next) => {
    const from = caller(c);
    checkHost(from, rules);
    // Pages and their parts are for everybody; what is done and what is streamed is not.
    if (!c.req.path.startsWith("/static/") && checkOrigin(from, rules)) allowOrigin(c);
    if (closing) throw closing();
    return next();
  });

  app.options("*", (c, next) => (caller(c).origin ? preflight(c) : next()));

  app.get("/api", (c) => {
    if (!isHandshake(c)) throw new PushError("upgrade_required", "Expected a WebSocket or a POST");
    sessions.checkRoom();
    return acceptSocket(c, (upgraded) => sessions.open(upgraded));
  });
  app.post("/api", async (c) => {
    const body = await readBody(c.env.incoming, hub.limits.bodyBytes);
    return plain(c, await answerBatch(body, hub, api, c.env.incoming), 200);
  });
  app.all("/api", (c) => refuseMethod(c, "POST"));

  app.route("/topics", topicRoutes(hub, publishing));
  const more = routes?.(app);

  const files = serveStatic({
    root: pages,
    rewriteRequestPath: (path) => path.replace(/^\/static/, ""),
    onFound: (path, c) => {
      c.header("Content-Security-Policy", CONTENT_SECURITY_POLICY);
      c.header("X-Content-Type-Options", "nosniff");
      // Built names carry a hash of the content; the pages themselves do not.
      const immutable = path.includes("/assets/");
      c.header("Cache-Control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
    },
  });
  app.get("/", files);
  app.get("/static/:page{[^./]+}", (c) => c.redirect(`${c.req.path}/`, 301));
  app.get("/static/*", files);

  return {
    fetch: app.fetch,
    limits: hub.limits,
    listensOn: ({ loopback }) => {
      rules.loopback ??= loopback;
    },
    stats: () => ({ ...hub.stats(), ...sessions.stats() }),
    close: async ({ graceMs = 0, random = Math.random } = {}) => {
      closing ??= () =>
        new PushError("shutting_down", "the server is stopping", {
          retryAfterMs: Math.ceil(random() * graceMs),
        });
      await hub.close(closing);
      // Streams and held polls are told in their own words first; then their sessions end.
      await new Promise((resolve) => setImmediate(resolve));
      sessions.close(closing);
      more?.close(closing);
    },
  };
}

function caller(c: AppContext): Caller {
  // Node's own object: the Headers of a Request would have to be made first.
  const { host, origin } = c.env.incoming.headers;
  return { host, origin };
}

/** The Fetch standard's CORS protocol: an allowed origin is named, never `*`. */
function allowOrigin(c: AppContext): void {
  // On Node's response, which streams are written to as well; a WebSocket has none.
  const { outgoing } = c.env as Partial<Bindings>;
  outgoing?.setHeader("Access-Control-Allow-Origin", c.req.header("Origin")!);
  outgoing?.setHeader("Access-Control-Expose-Headers", "Cursor, Retry-After");
  outgoing?.setHeader("Vary", "Origin");
}

function preflight(c: AppContext): Response {
  c.header("Access-Control-Allow-Methods", "GET, HEAD, POST");
  c.header(
    "Access-Control-Allow-Headers",
    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
  );
  c.header("Access-Control-Max-Age", "600");
  return c.body(null, 204);
}

function plain(c: AppContext, text: string, status: number): Response {
  return c.body(text, status as 200, { "Content-Type": "text/plain; charset=utf-8" });
}

const EVENTS = { header: "Accept" as const, supports: [EVENT_STREAM], default: "" };

function errorAnswer(c: AppContext, error: Error, hub: Hub): Response | Promise<Response> {
  if (!(error instanceof PushError)) hub.onError(error, `${c.req.method} ${c.req.path}`);
  const told = error instanceof PushError ? error : new PushError("internal", "internal error");
  const { code, message, retryAfterMs } = told;
  const { status } = ERRORS[code];
  if (retryAfterMs !== undefined) c.header("Retry-After", `${Math.ceil(retryAfterMs / 1000)}`);
  if (code === "unauthorized") c.header("WWW-Authenticate", "Bearer");
  if (code === "upgrade_required") c.header("Upgrade", "websocket");
  // An EventSource gives up for good on any status but 200; told like this it comes back.
  if (code === "shutting_down" && accepts(c, EVENTS) === EVENT_STREAM) {
    return c.body(farewell(told), 200, { ...STREAM_HEADERS, "Content-Type": EVENT_STREAM });
  }
  // Cap'n Web's own errors are plain text; everything else is JSON.
  if (c.req.path === "/api") return plain(c, message, status);
  return c.json({ error: { code, message, retryAfterMs } }, status as 400);
}
