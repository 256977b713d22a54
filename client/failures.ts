/**
 * What ends a reading, in each transport's own words → `TransportError`. Here it is decided whether
 * trying again can help.
 */
import type { ErrorCode } from "../server/contract.ts";
import { type FailureCode, TransportError } from "./transport.ts";

/** As in `server/errors.ts`; a code that is not here comes from a later server, and may pass. */
export const CAN_RETRY: Readonly<Record<ErrorCode, boolean>> = {
  invalid_request: false,
  invalid_cursor: false,
  protocol_error: false,
  unsupported_data: false,
  unauthorized: false,
  forbidden: false,
  not_found: false,
  topic_not_found: false,
  subscription_not_found: false,
  method_not_allowed: false,
  too_large: false,
  upgrade_required: false,
  idempotency_conflict: false,
  limit_exceeded: true,
  too_many_processes: true,
  program_failed: true,
  shutting_down: true,
  internal: true,
};

/** The server's own words, from wherever: `{code, message, retryAfterMs?}`. */
export function told(words: unknown): TransportError {
  const { code, message, retryAfterMs } = wordsOf(words);
  if (code === undefined) return protocolError(`Expected an error, got ${JSON.stringify(words)}`);
  const canRetry = Object.hasOwn(CAN_RETRY, code) ? CAN_RETRY[code as ErrorCode] : true;
  return new TransportError(code, message ?? code, { canRetry, retryAfterMs });
}

/** The answer cannot be what a server of this kind says; asking again would not change that. */
export function protocolError(message: string, cause?: unknown): TransportError {
  return new TransportError("protocol_error", message, { canRetry: false, cause });
}

/** It ended without a word. */
export function lost(message: string, cause?: unknown): TransportError {
  return new TransportError("connection_lost", message, { canRetry: true, cause });
}

/** A request that got no answer, with the reason as far as the platform tells it. */
export function unreachable(error: unknown): TransportError {
  const message = `The server cannot be reached: ${reasonOf(error)}`;
  return new TransportError("unreachable", message, { canRetry: true, cause: error });
}

/** What came is well-formed but not what had to follow. Whoever sends it once may send it again. */
export class OrderBroken extends TransportError {
  constructor(message: string) {
    super("protocol_error", `The server broke the order ${message}`, { canRetry: false });
  }
}

/**
 * There is no session now, and by itself the next is tried after `retryAfterMs`, with a jitter of its
 * own: whoever waits for it adds none. `not_connected` when nothing was tried now.
 */
export class NoSession extends TransportError {
  constructor(cause: TransportError, retryAfterMs: number, code: FailureCode = cause.code) {
    super(code, cause.message, { canRetry: cause.canRetry, retryAfterMs, cause });
  }
}

/** For calls whose answer did not come: whoever made one must not take it for undone. */
export function mayHaveRun(cause: TransportError): TransportError {
  const { message, retryAfterMs } = cause;
  return new TransportError("may_have_run", message, { canRetry: true, retryAfterMs, cause });
}

/** A refusal at the door. */
export function refused(
  { status, headers }: Pick<Response, "status" | "headers">,
  body: string,
): TransportError {
  const { code, message, retryAfterMs } = wordsOf((parse(body) as { error?: unknown })?.error);
  // RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4: these say "later" themselves.
  const later = status === 408 || status === 425 || status === 429;
  return new TransportError(code ?? `http_${status}`, message ?? `The server answered ${status}`, {
    canRetry: later || status >= 500,
    retryAfterMs: retryAfterMs ?? retryAfterHeader(headers.get("Retry-After")),
  });
}

/** A WebSocket's close frame. The reason is JSON when it comes from a server of this kind. */
export function closed(code: number, reason: string): TransportError {
  const words = wordsOf(parse(reason));
  // 1005 and 1006 are no codes of a frame (RFC 6455 §7.4.1): none came.
  if (code === 1005 || code === 1006) return lost("The connection was lost");
  const forGood = (code >= 1002 && code <= 1009) || (code >= 4400 && code <= 4499);
  const message = words.message ?? `The server closed the connection (${reason || code})`;
  return new TransportError(words.code ?? `close_${code}`, message, {
    canRetry: !forGood,
    retryAfterMs: words.retryAfterMs,
  });
}

/** What a reading, which may be repeated, was rejected with over Cap'n Web. Without a code of its own it is the connection's. */
export function rejected(error: unknown): TransportError {
  if (error instanceof TransportError) {
    return error.code === "may_have_run" ? (error.cause as TransportError) : error;
  }
  const { code } = wordsOf(error);
  if (code !== undefined && code !== "may_have_run") return told(error);
  return lost(reasonOf(error), error);
}

/** For an error from the platform: Node hides the reason in `cause`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause, message } = error as Error & { cause?: Error & { code?: string } };
  return cause?.message || cause?.code || message;
}

interface Words {
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** Whatever came from the network: only what has the right type is taken. */
function wordsOf(value: unknown): Words {
  if (typeof value !== "object" || value === null) return {};
  const { code, message, retryAfterMs } = value as Record<string, unknown>;
  return {
    code: typeof code === "string" ? code : undefined,
    message: typeof message === "string" ? message : undefined,
    retryAfterMs: typeof retryAfterMs === "number" && retryAfterMs >= 0 ? retryAfterMs : undefined,
  };
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterHeader(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const ms = Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page, or nothing: then the status or the code says what is known
  }
}
