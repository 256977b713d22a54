/**
 * When the next try may begin: after a minimum on every kind of failure, or what the server has asked
 * for, and with full jitter on top, so that ten thousand clients of one server do not come together.
 * Whoever reconnects in this client waits here.
 */
import { backoffDelay } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { NoSession } from "./failures.ts";

export const MIN_DELAY_MS = 250;
const STABLE_MS = 10_000; // a connection that lived this long makes the next failure a first one
const MAX_RETRY_AFTER_MS = 5 * 60_000; // a server may ask for patience, but not for ever
const WAKE_SPREAD_MS = 500; // a whole office may be back online at once

/** What a failure may say about the time to come back. */
export interface Patience {
  readonly retryAfterMs?: number | undefined;
}

export class Retry {
  readonly #clock: Clock;
  #attempt = 0;
  #notBefore = 0;
  #dueAt = 0;
  /** Of the wait that is under way. */
  #restart = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A try has ended.
   * @param livedMs how long it had worked
   * @returns how long `wait` takes from now, in milliseconds, unless a wake-up cuts it short
   */
  failed(failure: Patience, livedMs = 0): number {
    if (livedMs >= STABLE_MS) this.#attempt = 0;
    const { now, random } = this.#clock;
    const minMs = minDelay(failure);
    const delayMs =
      failure instanceof NoSession ? minMs : backoffDelay(this.#attempt++, { minMs, random });
    // A session's own wait can be cut short, and whoever waits for it with it.
    this.#notBefore = now() + (failure instanceof NoSession ? MIN_DELAY_MS : minMs);
    this.#dueAt = now() + delayMs;
    return delayMs;
  }

  /** Until the next try is due, in milliseconds. */
  get dueInMs(): number {
    return Math.max(0, this.#dueAt - this.#clock.now());
  }

  /** The first failure after this is a first one. */
  reset(): void {
    this.#attempt = 0;
  }

  /** Cuts a wait short, but not below the minimum: somebody wants it now. */
  hurry(): void {
    this.#dueAt = Math.min(this.#dueAt, this.#notBefore);
    this.#restart();
  }

  /** Until the next try is due. Rejects with the signal's reason as soon as that is aborted. */
  wait(signal: AbortSignal): Promise<void> {
    const { now, setTimer, onWake } = this.#clock;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        cancel();
        this.#restart = () => {};
        stopWaking();
        signal.removeEventListener("abort", abort);
        settle();
      };
      const abort = () => end(() => reject(signal.reason as Error));
      const start = () => setTimer(() => end(resolve), this.dueInMs);
      let cancel = start();
      this.#restart = () => {
        cancel();
        cancel = start();
      };
      const stopWaking = onWake(() => {
        const soonest = now() + wakeDelay(this.#clock, this.#notBefore);
        this.#dueAt = Math.min(this.#dueAt, soonest);
        this.#restart();
      });
      signal.addEventListener("abort", abort);
      if (signal.aborted) abort();
    });
  }
}

/** How long after a wake-up a try is made, in milliseconds, and none before `notBefore`. */
export function wakeDelay({ now, random }: Clock, notBefore: number): number {
  return Math.max(0, notBefore - now()) + random() * WAKE_SPREAD_MS;
}

/** No try may come sooner after this failure, in milliseconds. */
export function minDelay({ retryAfterMs = 0 }: Patience): number {
  return Math.max(MIN_DELAY_MS, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
}
