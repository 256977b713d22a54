/** Whether a request asks for a WebSocket: RFC 6455 §4.1, in any case. */
import type { Context } from "hono";

export function isUpgrade(c: Context): boolean {
  return c.req.header("Upgrade")?.toLowerCase() === "websocket";
}
