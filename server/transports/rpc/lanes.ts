/**
 * The ways that batches take to one client, a lane for each `listen` and `tail`. They share the
 * session's connection with the library and do without it: it makes each batch into text again for
 * each session, and several promises for each call.
 *
 *      delivery → lane → frames ──→ connection → client
 *                  ↑                               │  one answer to each call
 *                  └─────────── Lanes ←────────────┘
 */
import type { Upgraded } from "../../wire/upgrade.ts";
import type { Ids } from "./ids.ts";
import { type Frames, shortFrames } from "./lane-frames.ts";

export interface Lane {
  /** There may be room again. */
  wake(): void;
  /** The session has ended: nothing is written any more. */
  stop(): void;
  /** The client has returned from a call. */
  onReturn(call: Call, returned: Returned): void;
  /** A call has failed, at the client. */
  onFailure(call: Call, error: unknown): void;
}

export interface Returned {
  /** Whether that was `undefined`. */
  readonly isVoid: boolean;
}

/** A call whose answer is still to come. */
export interface Call {
  readonly id: number;
  readonly lane: Lane;
}

export class Lanes {
  readonly #upgraded: Upgraded;
  readonly #ids: Ids;
  // Made when they are needed: an idle session has one lane, and nothing in the others.
  #open: Set<Lane> | undefined;
  #calls: Map<number, Call> | undefined;
  /** Those that found no room, the longest waiting first. */
  #waiting: Set<Lane> | undefined;
  #isFull = false;
  #corked = false;

  constructor(upgraded: Upgraded, ids: Ids) {
    this.#upgraded = upgraded;
    this.#ids = ids;
  }

  get size(): number {
    return this.#open?.size ?? 0;
  }

  add(lane: Lane): void {
    (this.#open ??= new Set()).add(lane);
  }

  delete(lane: Lane): void {
    this.#open?.delete(lane);
    this.#waiting?.delete(lane);
  }

  stopAll(): void {
    for (const lane of this.#open ?? []) lane.stop();
    this.#calls = undefined;
  }

  /** Whether the connection takes more. If not, the lane is woken when it does. */
  hasRoom(lane: Lane): boolean {
    if (!this.#isFull) return true;
    (this.#waiting ??= new Set()).add(lane);
    return false;
  }

  /** @returns the id of a call that is about to be written */
  take(): number {
    return this.#ids.take();
  }

  /** The lane gets the answer to this call, unless it forgets it. */
  expect(lane: Lane, id: number): Call {
    const call = { id, lane };
    (this.#calls ??= new Map()).set(id, call);
    return call;
  }

  forget({ id }: Call): void {
    this.#calls?.delete(id);
  }

  /** @param frames whole ones; the buffers may be shared by many */
  write(frames: Frames): void {
    const { socket, connection } = this.#upgraded;
    // RFC 6455 §5.5.1: nothing follows a close frame.
    if (socket.readyState !== socket.OPEN) return;
    // One event wakes all lanes of a session; what they write in the same turn is one write.
    if (this.size > 1 || !Buffer.isBuffer(frames)) this.#cork();
    const hasRoom = Buffer.isBuffer(frames)
      ? connection.write(frames)
      : frames.reduce((_room, frame) => connection.write(frame), true);
    if (hasRoom || this.#isFull) return;
    this.#isFull = true;
    connection.once("drain", () => this.#wakeAll());
  }

  /** @param texts ASCII, each shorter than 126 characters */
  writeShort(texts: readonly string[]): void {
    this.write(shortFrames(texts));
  }

  /** @returns whether it answers a call of a lane */
  onReturn(id: number, returned: Returned): boolean {
    const call = this.#end(id);
    call?.lane.onReturn(call, returned);
    return call !== undefined;
  }

  /** @returns whether it answers a call of a lane */
  onFailure(id: number, errorIn: () => unknown): boolean {
    const call = this.#end(id);
    call?.lane.onFailure(call, errorIn());
    return call !== undefined;
  }

  #end(id: number): Call | undefined {
    const call = this.#calls?.get(id);
    if (call) this.#calls!.delete(id);
    return call;
  }

  #cork(): void {
    if (this.#corked) return;
    const { connection } = this.#upgraded;
    this.#corked = true;
    connection.cork();
    process.nextTick(() => {
      this.#corked = false;
      connection.uncork();
    });
  }

  #wakeAll(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#isFull = false;
    for (const lane of waiting) lane.wake();
  }
}
