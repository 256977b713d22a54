/** Takes Node's own response out of Hono's hands, for an answer that goes on. */
import type { ServerResponse } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
import { STREAM_HEADERS } from "./http-stream.ts";
import type { Bindings } from "./upgrade.ts";

/**
 * `begin` writes to the response. A HEAD request gets the head alone.
 * @param type the Content-Type of the answer
 */
export async function handOver(
  c: Pick<Context<{ Bindings: Bindings }>, "req" | "env" | "body">,
  type: string,
  begin: (response: ServerResponse) => unknown,
): Promise<Response> {
  if (c.req.method === "HEAD") {
    return c.body(null, 200, { ...STREAM_HEADERS, "Content-Type": type });
  }
  await begin(c.env.outgoing);
  return RESPONSE_ALREADY_SENT;
}
