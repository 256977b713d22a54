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

export interface Lane {
  /** There may be room again. */
  wake(): void;
  /** The session has ended: nothing is written any more. */
  stop(): void;
  /** The client has returned from a call. */
  onReturn(call: Call): void;
  /** A call has failed, at the client. */
  onFailure(call: Call, error: unknown): void;
}

/** A call that the client has not answered yet. */
export interface Call {
  readonly id: number;
  readonly bytes: number;
  readonly lane: Lane;
}

export class Lanes {
  readonly #upgraded: Upgraded;
  readonly #ids: Ids;
  readonly #onWritten: () => void;
  readonly #open = new Set<Lane>();
  readonly #calls = new Map<number, Call>();
  /** Those that found no room, the longest waiting first. */
  readonly #waiting = new Set<Lane>();
  #corked = false;

  constructor(upgraded: Upgraded, { ids, onWritten }: { ids: Ids; onWritten: () => void }) {
    this.#upgraded = upgraded;
    this.#ids = ids;
    this.#onWritten = onWritten;
  }

  get size(): number {
    return this.#open.size;
  }

  add(lane: Lane): void {
    if (this.#open.size === 0) this.#upgraded.connection.on("drain", this.#onDrain);
    this.#open.add(lane);
  }

  delete(lane: Lane): void {
    this.#open.delete(lane);
    this.#waiting.delete(lane);
    if (this.#open.size === 0) this.#upgraded.connection.off("drain", this.#onDrain);
  }

  stopAll(): void {
    for (const lane of this.#open) lane.stop();
    this.#calls.clear();
  }

  /** Whether the connection takes more. If not, the lane is woken when it does. */
  hasRoom(lane: Lane): boolean {
    if (!this.#upgraded.connection.writableNeedDrain) return true;
    this.#waiting.add(lane);
    return false;
  }

  /** Numbers a call that is about to be written. Its lane gets the answer, unless it forgets it. */
  call(lane: Lane, bytes: number): Call {
    const call = { id: this.#ids.take(), bytes, lane };
    this.#calls.set(call.id, call);
    return call;
  }

  forget({ id }: Call): void {
    this.#calls.delete(id);
  }

  /** @param frames whole ones; the buffers may be shared by many */
  write(...frames: readonly Buffer[]): void {
    const { socket, connection } = this.#upgraded;
    // RFC 6455 §5.5.1: nothing follows a close frame.
    if (socket.readyState !== socket.OPEN) return;
    // One event wakes all lanes of a session; what they write in the same turn is one write.
    if (frames.length > 1 || this.#open.size > 1) this.#cork();
    for (const frame of frames) connection.write(frame, this.#onWritten);
  }

  /** @returns whether it answers a call of a lane */
  onReturn(id: number): boolean {
    const call = this.#calls.get(id);
    if (!call) return false;
    this.#calls.delete(id);
    call.lane.onReturn(call);
    return true;
  }

  /** @returns whether it answers a call of a lane */
  onFailure(id: number, errorIn: () => unknown): boolean {
    const call = this.#calls.get(id);
    if (!call) return false;
    this.#calls.delete(id);
    call.lane.onFailure(call, errorIn());
    return true;
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

  readonly #onDrain = (): void => {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const lane of waiting) lane.wake();
  };
}
