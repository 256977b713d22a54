/** An HTTP answer that is a refusal → why, and whether trying again can help. */
import type { IncomingMessage } from "node:http";
import { refused } from "../../../client/failures.ts";
import type { TransportError } from "../../../client/transport.ts";

export async function refusal(response: IncomingMessage): Promise<TransportError> {
  let body = "";
  try {
    for await (const chunk of response) {
      body += (chunk as Buffer).toString();
      if (body.length > MAX_CHARS) break;
    }
  } catch {
    // Cut off: then the status says what is known.
  }
  const headers = new Headers();
  const retryAfter = response.headers["retry-after"];
  if (retryAfter !== undefined) headers.set("Retry-After", retryAfter);
  return refused({ status: response.statusCode ?? 0, headers }, body);
}

const MAX_CHARS = 64 * 1024; // an error's JSON has some hundred
