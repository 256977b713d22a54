/** Single requests to `/topics/:topic`, and what a server says when it refuses one. */
import type { OutgoingHttpHeaders } from "node:http";
import { type LocalServer, type LocalServerOptions, startedLocal } from "./server.ts";
import { type Answer, ask } from "./wire.ts";

export const TOKEN = "a-token";
export const SSE = { Accept: "text/event-stream" };
export const NDJSON = { Accept: "application/x-ndjson" };

/** `startedLocal`, with a token that may publish. */
export function startedPublishing(options: LocalServerOptions = {}): Promise<LocalServer> {
  return startedLocal({ ...options, app: { publishToken: TOKEN, ...options.app } });
}

export interface PublishRequest {
  topic?: string;
  name?: string;
  key?: string;
  token?: string | undefined;
  headers?: OutgoingHttpHeaders;
}

/** One POST; `body` is JSON text, or anything that claims to be. */
export function postEvent(
  { url }: { url: string },
  body: string | Buffer,
  { topic = "topic", name, key, token = TOKEN, headers = {} }: PublishRequest = {},
): Promise<Answer> {
  const query = name === undefined ? "" : `?event=${encodeURIComponent(name)}`;
  return ask(`${url}/topics/${topic}${query}`, {
    method: "POST",
    body,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(key !== undefined && { "Idempotency-Key": key }),
      ...headers,
    },
  });
}

/** Status and code of a refusal, after a look at its form. */
export function refusalOf({ status, headers, text }: Answer): { status: number; code: string } {
  if (headers["content-type"] !== "application/json") throw new Error(`${status} is not JSON`);
  const { error, ...rest } = JSON.parse(text) as { error: Record<string, unknown> };
  const { code, message, retryAfterMs, ...more } = error;
  if (Object.keys({ ...rest, ...more }).length > 0) throw new Error(`more than an error: ${text}`);
  if (typeof message !== "string" || message === "") throw new Error(`no message: ${text}`);
  const retryAfter = headers["retry-after"];
  const expected =
    retryAfterMs === undefined ? undefined : `${Math.ceil(Number(retryAfterMs) / 1000)}`;
  if (retryAfter !== expected) throw new Error(`Retry-After ${retryAfter} does not fit ${text}`);
  return { status, code: code as string };
}
