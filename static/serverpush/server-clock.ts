/**
 * The server's time, guessed from when its samples arrive, because the clocks of server and browser
 * need not agree. The chart scrolls by it, so it runs evenly and only jumps when it is far off.
 */
const JUMP_MS = 3_000;
const SHARE = 0.1; // of each new difference that is taken over: delays vary, the truth does not

export class ServerClock {
  #aheadMs: number | undefined;

  /** A sample taken at `serverMs` has arrived at `localMs`, a monotonic local time. */
  observe(serverMs: number, localMs: number): void {
    const aheadMs = serverMs - localMs;
    const errorMs = aheadMs - (this.#aheadMs ?? Number.NEGATIVE_INFINITY);
    if (this.#aheadMs === undefined || Math.abs(errorMs) > JUMP_MS) this.#aheadMs = aheadMs;
    else this.#aheadMs += errorMs * SHARE;
  }

  /** The server's time at `localMs`; undefined before the first sample. */
  at(localMs: number): number | undefined {
    return this.#aheadMs === undefined ? undefined : localMs + this.#aheadMs;
  }
}
