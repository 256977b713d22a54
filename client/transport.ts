/**
 * The plug of the client: one way to read a topic, whatever carries it. A transport makes one try
 * and remembers nothing between two; what to do after a failure is the business of `resume.ts`.
 */
import type { ErrorCode, Gap } from "../server/contract.ts";

export interface TopicEvent<T = unknown> {
  /** Its number in the topic: 1, 2, 3 … without holes. */
  readonly offset: number;
  /** When the store took it, in milliseconds since the Unix epoch. SSE does not carry it. */
  readonly time?: number;
  readonly name?: string;
  readonly data: T;
}

export interface TopicBatch<T = unknown> {
  readonly events: readonly TopicEvent<T>[];
  /** The reader's place after this batch. An empty batch has one too. */
  readonly cursor: string;
  /** What was lost before the first of these events. */
  readonly gap?: Gap;
}

/** Where to begin: after a cursor, "earliest" or "latest", or this many events back. */
export interface Place {
  /** Default "latest". */
  readonly after?: string;
  /** Instead of `after`. */
  readonly last?: number;
}

export interface Transport {
  /** As users write it: `sse`, `long-poll`, `rpc-tail` … */
  readonly name: string;
  /**
   * Reads from `place` on. What comes out is what the server said; whether it is in order and
   * complete is checked by whoever reads. An implementation
   * - MUST give the first batch as soon as the server has taken the request, an empty one if there
   *   is nothing yet: with its cursor a reader that is cut off before the first event loses none.
   * - MUST pass on every sign of life as a batch, heartbeats as empty ones: silence is judged there.
   * - MUST read ahead of its reader by a bounded number of bytes only.
   * - MUST NOT return. It ends by throwing a `TransportError`, or the signal's reason as soon as
   *   that is aborted, whatever it waits for.
   * - MUST close its connection when it ends and when the reader leaves the loop. (A generator that
   *   waits cannot be left: abort the signal.)
   */
  open(place: Place, signal: AbortSignal): AsyncIterable<TopicBatch>;
}

/** What a transport tells about its traffic, for whoever wants to show or measure it. */
export interface TrafficObserver {
  /** A request or a handshake is about to be sent. */
  readonly onRequest?: (() => void) | undefined;
  /** So many bytes of an answer's body, or of messages, have arrived. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * `unreachable`: there was no answer at all, and nothing has run. `connection_lost`: it ended without
 * a word. `not_connected`: the session that others share is waiting for its next try. `may_have_run`:
 * the connection of a call ended before its answer came. `closed`: by its user.
 * `slow_reader`: too much waited to be taken, and the transport could not stop it. The others come
 * from the server; one of a later version may have codes that are not known here.
 */
export type FailureCode =
  | ErrorCode
  | "unreachable"
  | "not_connected"
  | "connection_lost"
  | "may_have_run"
  | "slow_reader"
  | "closed"
  | (string & {});

export interface FailureOptions {
  /** The same request, or one from the last cursor, may succeed later. */
  canRetry: boolean;
  /** Not before so many milliseconds from now, says the server. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** The one way in which reading ends. The message is for people. */
export class TransportError extends Error {
  readonly code: FailureCode;
  readonly canRetry: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: FailureCode,
    message: string,
    { canRetry, retryAfterMs, cause }: FailureOptions,
  ) {
    super(message, { cause });
    this.code = code;
    this.canRetry = canRetry;
    this.retryAfterMs = retryAfterMs;
  }
}
