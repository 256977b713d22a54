/** Why a WebSocket was closed, in words, and when to come back. */
export interface Closing {
  readonly words: string;
  /** What the server has asked for; 0 when it has not. */
  readonly retryAfterMs: number;
}

const WORDS: Readonly<Record<number, string>> = {
  1000: "The server has ended the conversation",
  1001: "The server is going away",
  1003: "The server takes text only",
  1009: "That message was too long: 512 KiB is the limit",
  1011: "Something went wrong in the server",
  1012: "The server is restarting",
  1013: "This page was too slow to take its messages, so the server let it go",
};

/** `opened`: whether there was a connection at all. `reason` may be the server's JSON, or anything. */
export function closingOf(
  { code, reason }: Pick<CloseEvent, "code" | "reason">,
  opened: boolean,
): Closing {
  const { message, retryAfterMs } = parse(reason);
  const unknown = opened ? "The connection was lost" : "The server cannot be reached";
  const words = WORDS[code] ?? (typeof message === "string" ? message : unknown);
  const ms = typeof retryAfterMs === "number" && retryAfterMs > 0 ? retryAfterMs : 0;
  return { words, retryAfterMs: Math.min(ms, MAX_RETRY_AFTER_MS) };
}

const MAX_RETRY_AFTER_MS = 5 * 60_000; // a server may ask for patience, but not for ever

function parse(reason: string): { message?: unknown; retryAfterMs?: unknown } {
  try {
    return (JSON.parse(reason) ?? {}) as { message?: unknown; retryAfterMs?: unknown };
  } catch {
    return {};
  }
}
