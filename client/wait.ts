/** Waiting that can be cut short, with the timer as a parameter. */
import { type SetTimer, startTimer } from "./clock.ts";

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

/** What it comes to, or the signal's reason as soon as that is aborted. */
export function orAborted<T>(work: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    const settled = (settle: () => void) => {
      signal.removeEventListener("abort", abort);
      settle();
    };
    work.then(
      (value) => settled(() => resolve(value)),
      (error: unknown) => settled(() => reject(error)),
    );
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
}
