/** Time and chance, as parameters: tests turn the hands of the clock themselves. */
import { onWake } from "./on-wake.ts";

/** Calls back after `delayMs`, unless the function it returns is called before. */
export type SetTimer = (callback: () => void, delayMs: number) => () => void;

export interface Clock {
  /** Milliseconds, never backwards. */
  readonly now: () => number;
  /** 0 (included) to 1 (not included), for the jitter. */
  readonly random: () => number;
  readonly setTimer: SetTimer;
  /** Calls back when the network, the user or the machine is back; returns what stops that. */
  readonly onWake: (callback: () => void) => () => void;
}

/** What is not given is the platform's. */
export function clockOf({
  now = () => performance.now(),
  random = Math.random,
  setTimer = startTimer,
  onWake: wakes = onWake,
}: Partial<Clock> = {}): Clock {
  return { now, random, setTimer, onWake: wakes };
}

export function startTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}
