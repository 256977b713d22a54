/**
 * What a browser says of a request (W3C Fetch Metadata). An `<img>` on a foreign page sends no
 * `Origin`, so without this any page could start programs by naming their address.
 */
import type { IncomingHttpHeaders } from "node:http";
import { PushError } from "../errors.ts";

/**
 * @param allowOrigins besides the server's own
 * @throws {PushError} `forbidden`
 */
export function checkFetchMetadata(
  headers: IncomingHttpHeaders,
  allowOrigins: readonly string[] = [],
): void {
  const { "sec-fetch-dest": purpose } = headers;
  // With an origin it has been judged already.
  if (headers.origin === undefined && isForeign(headers, allowOrigins)) {
    const others = "a program that is no browser says so by a User-Agent of its own";
    throw new PushError("forbidden", `Expected no request from a foreign page; ${others}`);
  }
  if (purpose !== undefined && purpose !== "empty" && purpose !== "websocket") {
    const got = `got a request for ${JSON.stringify(purpose)}`;
    throw new PushError("forbidden", `Expected a fetch, an EventSource or a WebSocket, ${got}`);
  }
}

function isForeign(
  {
    "sec-fetch-site": site,
    "user-agent": agent = "",
    referer = "",
    host = "",
  }: IncomingHttpHeaders,
  allowOrigins: readonly string[],
): boolean {
  if (site !== undefined) return site === "cross-site" || site === "same-site";
  // To plain http on a network browsers do not say it. A foreign page can leave the Referer out, but
  // cannot make one of ours; and every browser calls itself this.
  if (!agent.startsWith("Mozilla/")) return false;
  if (!URL.canParse(referer)) return true;
  const from = new URL(referer);
  return from.host !== host.toLowerCase() && !allowOrigins.includes(from.origin);
}
