/**
 * Who may talk to this server from a browser. A page of a foreign origin must not post, open a
 * socket or read a stream, and a foreign name that resolves to this machine must not be served (DNS
 * rebinding). Programs that send no `Origin` pass: curl, Node, a proxy's health check.
 */
import { PushError } from "./errors.ts";

export interface OriginRules {
  /** Origins besides the server's own, like `https://example.com`. */
  allowOrigins?: readonly string[];
  /** Only reachable from this machine: then it answers to this machine's names only. */
  loopback?: boolean | undefined;
}

export interface Caller {
  /** The request's `Host` header. */
  host: string | undefined;
  /** The request's `Origin` header. */
  origin: string | undefined;
}

/** @throws {PushError} `forbidden` */
export function checkHost({ host }: Caller, { loopback, allowOrigins = [] }: OriginRules): void {
  if (!loopback || host === undefined || isLoopbackName(hostname(host))) return;
  // A reverse proxy passes its own name on; it is the host of an allowed origin.
  if (allowOrigins.some((origin) => new URL(origin).host === host.toLowerCase())) return;
  throw new PushError("forbidden", `Expected this server's own host name, got ${host}`);
}

/**
 * @returns whether the answer must name the origin for the browser (CORS)
 * @throws {PushError} `forbidden`
 */
export function checkOrigin({ host, origin }: Caller, { allowOrigins = [] }: OriginRules): boolean {
  if (origin === undefined) return false;
  if (allowOrigins.includes(origin)) return true;
  // By host and port, not by scheme: behind a proxy that ends TLS the page is https, we are http.
  const own = originHost(origin);
  if (own !== undefined && own === host?.toLowerCase()) return false;
  throw new PushError("forbidden", `Expected an allowed origin, got ${origin}`);
}

/** Of a page on the web; a sandboxed frame and a file ("null", "file://") have none. */
function originHost(origin: string): string | undefined {
  return /^https?:\/\/([^/?#@\\]+)$/.exec(origin.toLowerCase())?.[1];
}

/** Without the port. An IPv6 address stays in its brackets. */
function hostname(host: string): string {
  return host.replace(/:\d*$/, "").toLowerCase();
}

/** RFC 6761 §6.3: everything under `localhost` is loopback. */
function isLoopbackName(name: string): boolean {
  return /^(?:(?:[^.]+\.)*localhost\.?|127(?:\.\d{1,3}){3}|\[::1\])$/.test(name);
}
