/**
 * Where topics are kept. This interface is the delivery guarantee: whoever reads only through it
 * sees every event once and in order, or is told what it missed. Nothing in it assumes memory or
 * one process: an answer may come at once (memory) or by promise (a file, Redis), and several
 * processes may append to and read from one store.
 */
import type { Batch, TopicInfo } from "../contract.ts";
import type { MaybePromise } from "../maybe-promise.ts";
import type { Cursor } from "./cursor.ts";

export interface NewEvent {
  /** The event's data as JSON text, so that what was appended cannot change afterwards. */
  readonly json: string;
  readonly name?: string;
}

/** The two ends of a topic's log. An empty log has `first === last + 1`. */
export interface LogEnds {
  readonly epoch: string;
  /** Offset of the oldest event kept. */
  readonly first: number;
  /** Offset of the newest event ever appended; 0 before the first. */
  readonly last: number;
}

export interface ReadLimits {
  /** At most this many events. */
  readonly limit: number;
  /** At most this much JSON, in bytes; the first event is given whatever its size. */
  readonly maxBytes: number;
}

export interface ReadResult {
  readonly batch: Batch;
  /** The batch's cursor, taken apart. */
  readonly end: Cursor;
  /** Offset of the newest event at the moment of the read. */
  readonly last: number;
}

export interface Store {
  /**
   * Makes an empty topic where there is none. Only this and `append` create topics.
   * @throws {PushError} `limit_exceeded` when there are too many topics
   */
  create(topic: string): MaybePromise<void>;

  /**
   * Adds one event at the end of the log and answers with its place.
   *
   * - Offsets are 1, 2, 3 … without holes, given in the order of the appends, whoever appends.
   * - Once this has answered, the event is stored as safely as the store can, every read that
   *   starts later sees it, and every bell on the topic rings.
   * - If it throws or rejects, the event may be in the log or not, but never twice, never half.
   */
  append(topic: string, event: NewEvent): MaybePromise<Cursor>;

  /**
   * What follows `after`, oldest first, without holes: the first event is `after.offset + 1`, or
   * the batch carries a gap that counts exactly what lies between. One read is one moment: `batch`
   * and `last` belong together. The batch's cursor is the place after its last event, or after the
   * gap when there is no event.
   *
   * - Older than the history: a gap `evicted` with the exact number, then the oldest kept.
   * - Another epoch: a gap `epoch` with `missed: null`, then the oldest kept.
   *
   * @throws {PushError} `topic_not_found`; `invalid_cursor` for an offset not yet reached
   */
  read(topic: string, after: Cursor, limits: ReadLimits): MaybePromise<ReadResult>;

  /**
   * Where the log begins and ends now.
   * @throws {PushError} `topic_not_found`
   */
  ends(topic: string): MaybePromise<LogEnds>;

  topics(): MaybePromise<TopicInfo[]>;

  /**
   * Hangs up a doorbell: `ring` is called soon after events were appended, once for all that came
   * together, and carries no data. It may ring for nothing; it never stays silent. It MUST
   * NOT throw. An event appended after this returned rings; whoever reads after hanging up the bell
   * and before going to sleep misses nothing.
   * @param ring a function of its own for each bell
   * @throws {PushError} `topic_not_found`
   * @returns takes the bell down; may be called twice
   */
  watch(topic: string, ring: () => void): () => void;

  /** Lets go of everything. May be called twice. */
  close(): MaybePromise<void>;
}
