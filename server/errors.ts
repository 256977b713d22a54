/**
 * The one error class and the one table: what each code is over HTTP, as a WebSocket close code,
 * and whether trying again can help. A gap is data, not an error.
 */
import type { ErrorCode } from "./contract.ts";

interface Meaning {
  /** HTTP status. */
  readonly status: number;
  /**
   * WebSocket close code: RFC 6455 §7.4.1 and the IANA registry where one fits, else 4000 + the
   * HTTP status. 4400–4499 and 1002–1009: do not reconnect; 1011–1013: reconnect, later.
   */
  readonly close: number;
  /** The same request may succeed later. */
  readonly retry: boolean;
}

export const ERRORS: Readonly<Record<ErrorCode, Meaning>> = {
  invalid_request: { status: 400, close: 4400, retry: false },
  invalid_cursor: { status: 400, close: 4400, retry: false },
  protocol_error: { status: 400, close: 1002, retry: false },
  unsupported_data: { status: 400, close: 1003, retry: false },
  unauthorized: { status: 401, close: 4401, retry: false },
  forbidden: { status: 403, close: 4403, retry: false },
  not_found: { status: 404, close: 4404, retry: false },
  topic_not_found: { status: 404, close: 4404, retry: false },
  subscription_not_found: { status: 404, close: 4404, retry: false },
  method_not_allowed: { status: 405, close: 4405, retry: false },
  too_large: { status: 413, close: 1009, retry: false },
  upgrade_required: { status: 426, close: 4426, retry: false },
  // draft-ietf-httpapi-idempotency-key-header-07 §2.7
  idempotency_conflict: { status: 422, close: 4422, retry: false },
  limit_exceeded: { status: 503, close: 1013, retry: true },
  too_many_processes: { status: 429, close: 1013, retry: true },
  program_failed: { status: 502, close: 1011, retry: true },
  shutting_down: { status: 503, close: 1012, retry: true },
  internal: { status: 500, close: 1011, retry: true },
};

/**
 * An error that a client is told, word for word. `code` and `retryAfterMs` are own properties,
 * which is what survives Cap'n Web (error classes and names do not).
 */
export class PushError extends Error {
  readonly code: ErrorCode;
  /** When to try again, in milliseconds from now. */
  declare readonly retryAfterMs?: number;

  constructor(code: ErrorCode, message: string, { retryAfterMs }: { retryAfterMs?: number } = {}) {
    super(message);
    this.code = code;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}
