/** Waiting that can be cut short, with the timer as a parameter. */
import type { SetTimer } from "./session.ts";

/** Rejects with the signal's reason as soon as that is aborted. */
export function wait(
  ms: number,
  { signal, setTimer = startTimer }: { signal: AbortSignal; setTimer?: SetTimer | undefined },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (end: () => void) => {
      cancel();
      signal.removeEventListener("abort", abort);
      end();
    };
    const abort = () => done(() => reject(signal.reason as Error));
    const cancel = setTimer(() => done(resolve), ms);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
}

export function startTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}
