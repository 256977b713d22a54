/** What a WebSocket's close frame says: RFC 6455 §5.5 leaves 123 bytes for it. */
import type { PushError } from "../errors.ts";

/** The error as the JSON that HTTP answers with, its message cut to what fits. */
export function closeReason({ code, message, retryAfterMs }: PushError): string {
  let text = message;
  for (;;) {
    const reason = JSON.stringify({ code, message: text, retryAfterMs });
    if (Buffer.byteLength(reason) <= MAX_BYTES) return reason;
    text = text.slice(0, -1);
  }
}

/** Plain text, cut to what fits. */
export function cutReason(text: string): string {
  let cut = text.slice(0, MAX_BYTES);
  while (Buffer.byteLength(cut) > MAX_BYTES) cut = cut.slice(0, -1);
  return cut;
}

const MAX_BYTES = 123;
