/**
 * What every request passes on its way in, whatever the server then does: the checks of host and
 * origin, the answers to preflights, and how what goes wrong is told.
 */
import { type Context, Hono } from "hono";
import { accepts } from "hono/accepts";
import { ERRORS, PushError } from "./errors.ts";
import type { OnError } from "./hub.ts";
import { type Caller, checkHost, checkOrigin, type OriginRules } from "./origin.ts";
import { farewell } from "./transports/sse.ts";
import { EVENT_STREAM } from "./wire/event-stream.ts";
import { STREAM_HEADERS } from "./wire/http-stream.ts";
import type { Bindings } from "./wire/upgrade.ts";

export type Router = Hono<{ Bindings: Bindings }>;

type RouteContext = Context<{ Bindings: Bindings }>;

export interface DoorOptions extends OriginRules {
  /** Told what no client may see. */
  onError: OnError;
}

export class Door {
  /** The routes behind it. */
  readonly router: Router = new Hono();
  readonly #rules: OriginRules;
  readonly #onError: OnError;
  #closed: (() => PushError) | undefined;

  constructor({ onError, ...rules }: DoorOptions) {
    this.#rules = rules;
    this.#onError = onError;
    this.router.onError((error, c) => this.#answerError(c, error));
    this.router.notFound((c) => this.#answerError(c, new PushError("not_found", "not found")));
    this.router.use((c: RouteContext, next) => {
      this.#check(c);
      return next();
    });
    this.router.options("*", (c, next) => (caller(c).origin ? preflight(c) : next()));
  }

  /** Whether only this machine can reach the server; an option given by hand wins. */
  listensOn({ loopback }: { loopback: boolean }): void {
    this.#rules.loopback ??= loopback;
  }

  /**
   * From now on nobody comes in any more.
   * @returns why, with another time to come back for each: 0 to `graceMs` from now
   */
  close({ graceMs = 0, random = Math.random }: CloseOptions = {}): () => PushError {
    this.#closed ??= () =>
      new PushError("shutting_down", "the server is stopping", {
        retryAfterMs: Math.ceil(random() * graceMs),
      });
    return this.#closed;
  }

  #check(c: RouteContext): void {
    const from = caller(c);
    checkHost(from, this.#rules);
    // Pages and their parts are for everybody; what is done and what is streamed is not.
    if (!c.req.path.startsWith("/static/") && checkOrigin(from, this.#rules)) allowOrigin(c);
    if (this.#closed) throw this.#closed();
  }

  #answerError(c: RouteContext, error: Error): Response {
    if (!(error instanceof PushError)) this.#onError(error, `${c.req.method} ${c.req.path}`);
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
}

export interface CloseOptions {
  graceMs?: number;
  random?: () => number;
}

export function plain(c: RouteContext, text: string, status: number): Response {
  return c.body(text, status as 200, { "Content-Type": "text/plain; charset=utf-8" });
}

const EVENTS = { header: "Accept" as const, supports: [EVENT_STREAM], default: "" };

function caller(c: RouteContext): Caller {
  // Node's own object: the Headers of a Request would have to be made first.
  const { host, origin } = c.env.incoming.headers;
  return { host, origin };
}

/** The Fetch standard's CORS protocol: an allowed origin is named, never `*`. */
function allowOrigin(c: RouteContext): void {
  // On Node's response, which streams are written to as well; a WebSocket has none.
  const { outgoing } = c.env as Partial<Bindings>;
  outgoing?.setHeader("Access-Control-Allow-Origin", c.req.header("Origin")!);
  outgoing?.setHeader("Access-Control-Expose-Headers", "Cursor, Retry-After");
  outgoing?.setHeader("Vary", "Origin");
}

function preflight(c: RouteContext): Response {
  c.header("Access-Control-Allow-Methods", "GET, HEAD, POST");
  c.header(
    "Access-Control-Allow-Headers",
    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
  );
  c.header("Access-Control-Max-Age", "600");
  return c.body(null, 204);
}
